#!/bin/sh
# Arrows between folders go down only: a folder may include itself and folders of a lower rank. Roles have one rank and so never
# include each other; base < pgp, smime < keystore < wire < net < message < policy < jobs < users, guard, tlsrpt < roles < main; conf stands beside them, and only
# main and ctl use it.
set -eu
cd "$(dirname "$0")/.."

rank() {
    case $1 in
    base) echo 0 ;;
    pgp | smime) echo 10 ;;
    keystore) echo 20 ;;
    gateway/wire) echo 30 ;;
    gateway/net) echo 35 ;;
    gateway/message) echo 40 ;;
    gateway/policy) echo 45 ;;
    gateway/jobs) echo 50 ;;
    gateway/users | gateway/guard | gateway/tlsrpt) echo 55 ;;
    gateway/submission | gateway/auth | gateway/passwords | gateway/keys | gateway/seal | gateway/queue | gateway/delivery | gateway/control) echo 60 ;;
    conf) echo 65 ;;
    gateway/main | gateway/ctl) echo 70 ;;
    *) echo unknown ;;
    esac
}

failed=0
for file in $(find base conf pgp smime keystore gateway -name '*.[ch]' | sort); do
    from=$(dirname "$file")
    from_rank=$(rank "$from")
    if [ "$from_rank" = unknown ]; then
        echo "$file: folder $from has no rank in $0"
        failed=1
        continue
    fi
    for include in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$file"); do
        to=$(dirname "$include")
        [ "$to" = "$from" ] && continue
        to_rank=$(rank "$to")
        # conf uses base only; whoever is below main knows nothing of conf.
        if [ "$to_rank" = unknown ] || [ "$to_rank" -ge "$from_rank" ] ||
            { [ "$from" = conf ] && [ "$to" != base ]; }; then
            echo "$file includes $include: $from must not use $to"
            failed=1
        fi
    done
done
# pgp/ and smime/ know nothing of databases, and only net/, delivery/, submission/ and main/ of TLS connections.
if grep -ln 'sqlite3.h' $(find . -name '*.[ch]' -not -path './build/*') | grep -v '^./base/sql'; then
    echo "SQLite is used outside base/sql"
    failed=1
fi
# No SASL parser in the process that faces the internet. delivery's reads what the administrator's own smarthost says.
if grep -rln 'gsasl.h' base conf pgp smime keystore gateway | grep -vE '^gateway/(auth/|users/|delivery/(login|scram)\.c)'; then
    echo "libgsasl is used outside gateway/auth, gateway/users and gateway/delivery/login.c and scram.c"
    failed=1
fi
[ "$failed" -eq 0 ] && echo "layers: good"
exit "$failed"
