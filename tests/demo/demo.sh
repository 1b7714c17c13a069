#!/bin/sh
# make demo: the main job on throwaway keys. BUILD: the build folder; KEEP=1 leaves the gateway running.
set -eu
cd "$(dirname "$0")/../.."
build=$(cd "${BUILD:-build}" && pwd)
python=/usr/bin/python3
dir=$(mktemp -d "${TMPDIR:-/tmp}/sealgate-demo.XXXXXX")
chmod 711 "$dir"
sealctl="$build/sealctl -c $dir/sealgate.conf"
pids=

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
indent() { sed 's/^/    /'; }
own_gpg() { gpg --homedir "$dir/gnupg" --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' "$@"; }

finish() {
    code=$?
    trap - EXIT INT TERM
    if [ "$code" -ne 0 ]; then
        echo "the demo failed; the end of the gateway's log:" >&2
        tail -n 20 "$dir/log" >&2 2>/dev/null || true
    fi
    for pid in $pids; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    gpgconf --homedir "$dir/gnupg" --kill all 2>/dev/null || true
    rm -rf "$dir"
    exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Waits up to 20 seconds for a command to succeed.
await() {
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "in vain: $*" >&2
    return 1
}

arrived() { ls "$dir"/next-hop/*.eml | wc -l; }
has_arrived() { [ "$(arrived)" -ge "$1" ]; }
# The copy whose envelope names exactly $1.
copy_for() { grep -l "^X-Envelope: .* to $1 over" "$dir"/next-hop/*.eml | head -n 1; }

# ---- throwaway keys ----

x509() { # name, then what openssl req takes
    name=$1
    shift
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$dir/$name.key" \
        -out "$dir/$name.pem" "$@" 2>/dev/null
}
mkdir -m 700 "$dir/gnupg"
mkdir "$dir/next-hop"
x509 tls -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE
x509 carol -subj '/CN=Carol' -addext subjectAltName=email:carol@example.com -addext basicConstraints=critical,CA:FALSE \
    -addext keyUsage=critical,digitalSignature,keyAgreement -addext extendedKeyUsage=emailProtection
for who in bob dave erin; do
    own_gpg --quick-gen-key "$who@example.com" future-default default never 2>/dev/null
    own_gpg --armor --export "$who@example.com" >"$dir/$who.asc"
done

# ---- configuration ----

if [ "$(id -u)" -eq 0 ]; then
    id sealgate >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin sealgate
    user='user = "sealgate"'
else
    user=
fi
# shellcheck disable=SC2046
set -- $($python -c 'import sys; sys.path.insert(0, "tests/lib"); from tools import free_port as f; print(f(), f(), f())')
smtps=$1 submission=$2 next_hop=$3
cat >"$dir/sealgate.conf" <<CONF
hostname  = "localhost"
state-dir = "$dir/state"
$user
listen "127.0.0.1:$smtps"      { tls = implicit }
listen "127.0.0.1:$submission" { tls = starttls }
tls  { certificate = "$dir/tls.pem"  key = "$dir/tls.key" }
auth { users = "$dir/users" }
rule default {
  protect        = require
  on-missing-key = hold
}
delivery { route = "[localhost]:$next_hop"  tls = verify  ca = "$dir/tls.pem" }
CONF
echo 'a throwaway password' | $sealctl user add alice@example.org

# ---- the demo ----

say "1. The gateway starts"
# In sessions of their own, so that they outlive this terminal with KEEP=1.
setsid $python tests/lib/sink.py --store "$dir/next-hop" --port "$next_hop" --certificate "$dir/tls.pem" \
    --key "$dir/tls.key" >"$dir/next-hop.log" 2>&1 </dev/null &
pids=$!
setsid "$build/sealgate" -c "$dir/sealgate.conf" >"$dir/log" 2>&1 </dev/null &
pids="$! $pids"
await $sealctl status
$sealctl key add "$dir/bob.asc" "$dir/carol.pem" "$dir/erin.asc" >/dev/null
echo "Submission on localhost:$smtps (TLS) and localhost:$submission (STARTTLS); next hop localhost:$next_hop." | indent
echo "The rule for everybody: seal, or hold the message until there is a key. Known keys:" | indent
$sealctl --json key list | $python -c '
import json, sys
for key in json.load(sys.stdin)["certificates"]:
    print("  %-8s %s…  %s" % (key["format"], key["fingerprint"][:16], ", ".join(key["addresses"])))' | indent

say "2. alice writes to bob, carol and dave, and blind to erin, with swaks over TLS"
send="swaks --server localhost --port $smtps --tls-on-connect --tls-verify --tls-ca-path $dir/tls.pem
      --auth PLAIN --auth-user alice@example.org --from alice@example.org"
# shellcheck disable=SC2086
$send --auth-password 'a throwaway password' --to bob@example.com,carol@example.com,dave@example.com,erin@example.com \
    --header 'To: bob@example.com, carol@example.com, dave@example.com' --header 'Bcc: erin@example.com' \
    --header 'Subject: lunch' --body 'Noon, at the usual place.' >"$dir/swaks"
grep -E '^=== TLS started|^ ~> (MAIL|RCPT)|queued' "$dir/swaks" | cut -c1-140 | indent

say "3. What arrived at the next hop: one copy each, nothing readable, no trace of erin in the others"
await has_arrived 3
for copy in "$dir"/next-hop/*.eml; do
    sed -n 's/^X-Envelope: //p; /^Content-Type: /{N;p;}' "$copy" | sed '/^Content-Type: application\/\(pgp-enc\|octet\)/,$d' |
        tr -d '\r' | indent
    if grep -qE 'usual place|erin' "$copy" && [ "$copy" != "$(copy_for erin@example.com)" ]; then
        echo "$copy tells too much" >&2
        exit 1
    fi
done

say "4. Each reads theirs"
for who in bob erin; do
    echo "$who, with gpg:" | indent
    own_gpg --decrypt "$(copy_for $who@example.com)" 2>/dev/null | tr -d '\r' | grep -E '^(To|Subject|Noon)' | indent | indent
done
echo "carol, with openssl:" | indent
sed 1d "$(copy_for carol@example.com)" | openssl cms -decrypt -recip "$dir/carol.pem" -inkey "$dir/carol.key" |
    tr -d '\r' | grep -E '^(To|Subject|Noon)' | indent | indent

say "5. dave has no key: his copy waits, locked; it goes out sealed as soon as the key is there"
$sealctl held list | indent
$sealctl key add "$dir/dave.asc" >/dev/null
await has_arrived 4
echo "key added; dave, with gpg:" | indent
own_gpg --decrypt "$(copy_for dave@example.com)" 2>/dev/null | tr -d '\r' | grep '^Noon' | indent | indent

say "6. The audit trail"
$sealctl audit export | $python -c '
import json, sys
for line in map(json.loads, sys.stdin):
    told = (line.get(k, "") for k in ("event", "recipient", "format", "fingerprint", "out_tls_version", "reply", "reason"))
    print("%3d  " % line["seq"], "  ".join(word[:40] for word in told if word))' | indent
$sealctl audit verify | indent

if [ "${KEEP:-}" = 1 ]; then
    trap - EXIT INT TERM
    printf '#!/bin/sh\nkill %s\ngpgconf --homedir %s --kill all\nrm -rf %s\n' "$pids" "$dir/gnupg" "$dir" >"$dir/stop"
    chmod +x "$dir/stop"
    say "It goes on running"
    cat <<TEXT
    send     swaks --server localhost --port $smtps --tls-on-connect --auth PLAIN --auth-user alice@example.org \\
                 --auth-password 'a throwaway password' --from alice@example.org --to bob@example.com
    look     $sealctl status        (queue list, held list, key list, audit list, explain …)
    arrived  $dir/next-hop/
    log      $dir/log
    stop     $dir/stop
TEXT
fi
