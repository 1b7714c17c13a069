#!/bin/sh
# House rules that a grep can see. Each finding is a line; none is success.
set -u
cd "$(dirname "$0")/.."
failed=0
say() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2"
        failed=1
    fi
}
product=$(find base conf pgp smime keystore gateway -name '*.[ch]')

say "unbounded or locale-bound functions" "$(grep -nE '\b(strcpy|strcat|sprintf|gets|strtok|atof|system|popen)\(' $product |
    grep -vE 'conf/value.c|sockets.c')"
say "unfinished work" "$(grep -nwE 'TODO|FIXME|XXX|HACK' $product)"
say "#ifdef in product code" "$(grep -nE '^#(ifdef|if |elif)' $product)"
say "mutable variables at file scope" "$(grep -nE '^static [a-z_ ]*[a-z_*]+(\[[^]]*\])?( = [^(]*)?;$' $product | grep -vE '\bconst\b|\(')"
say "macros that hide control flow" "$(grep -nE '^#define .*\b(goto|return|break|continue)\b' $product)"
long=$(wc -l $product | awk '$2 != "total" && $1 > 450 {print "  " $2 ": " $1 " lines"}')
say "files past one job (450 lines)" "$long"
if command -v ctags >/dev/null 2>&1; then
    say "functions that do not fit on a screen (70 lines)" "$(ctags --languages=C --kinds-C=f --fields=+ne -o - $product |
        awk -F'\t' '{l=e=0; for(i=4;i<=NF;i++){if($i~/^line:/)l=substr($i,6); if($i~/^end:/)e=substr($i,5)} if(e-l>70) print "  " $2 ":" l " " $1 " " e-l}')"
fi
say "paths of one machine" "$(git grep -nE '(^|[^a-z])/(work|home/[a-z]+)/' -- . ':!tests/lint.sh' 2>/dev/null)"
for manual in doc/*.[0-9]; do
    say "mandoc -Tlint $manual" "$(mandoc -Tlint -W warning "$manual" 2>&1)"
done
[ "$failed" -eq 0 ] && echo "lint: good"
exit "$failed"
