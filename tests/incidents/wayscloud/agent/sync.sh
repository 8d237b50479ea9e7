#!/bin/bash
# Loads the allowlist that is given as arguments, in the place of the one of last time.
set -euo pipefail
old=$(iptables-save -t filter | grep -e '--comment redis-allow ' | sed 's/^-A/-D/')
while read -r rule; do
    eval "iptables -t filter $rule"
done <<< "$old"
for range in "$@"; do
    iptables -A INPUT -s "$range" -p tcp --dport 6379 -m comment --comment redis-allow -j ACCEPT
done
iptables -A INPUT -p tcp --dport 6379 -m comment --comment redis-allow -j DROP
