"""Medians over rounds, ratios within a round, and tables of both."""

import statistics

TITLES = {
    "steady": "Sessions that stay open",
    "reconnect": "A new connection, TLS handshake and (gateway) AUTH for each message",
    "half": "At half of the messages per second of the first table",
}

BUSY_MAX = 0.05


def median(results, field):
    return statistics.median(r[field] for r in results)


def role_cpu(results):
    """Milliseconds per message by role: the median of each over the rounds."""
    roles = sorted({role for r in results for role in r["cpu_ms"]})
    return {role: statistics.median(r["cpu_ms"].get(role, 0) for r in results) for role in roles}


def spread(upper, lower, field="per_second"):
    """Quotients of what was measured in the same round."""
    quotients = [a[field] / b[field] for a, b in zip(upper, lower) if b[field]]
    return {"median": statistics.median(quotients), "least": min(quotients), "most": max(quotients)} if quotients else None


def ratios(found):
    """{"steady smime / postfix": {median, least, most}, …}: of messages per second."""
    out = {}
    for part in ("steady", "reconnect"):
        base = found[part].get("postfix")
        for kind, results in found[part].items():
            if base and results and kind != "postfix":
                out[f"{part} {kind} / postfix"] = spread(results, base)
                out[f"{part} {kind} / postfix, delivered"] = spread(results, base, "delivered_per_second")
    if found["gpgme"]:
        out["steady openpgp / gpgme"] = spread(found["steady"]["openpgp"], found["gpgme"])
    return {name: value for name, value in out.items() if value}


def table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells).rstrip())


def show_loads(title, part):
    rows = []
    for kind, results in part.items():
        if results:
            rates = [r["per_second"] for r in results]
            rows.append([kind, f"{statistics.median(rates):.0f}", f"{min(rates):.0f}–{max(rates):.0f}",
                         f"{median(results, 'delivered_per_second'):.0f}", f"{median(results, 'p50_ms'):.1f}",
                         f"{median(results, 'p99_ms'):.1f}", f"{sum(role_cpu(results).values()):.2f}",
                         sum(r["failed"] for r in results)])
    if rows:
        print(f"\n{title}")
        table(["", "accepted/s", "(range)", "delivered/s", "p50 ms", "p99 ms", "CPU ms/message", "failed"], rows)


def show_over_load(rows):
    if rows:
        print("\nOver load")
        fields = [f for f in rows[0] if f != "kind"]
        table(["", *(f.replace("_per_second", "/s").replace("_", " ") for f in fields)],
              [[row["kind"], *(row[f] for f in fields)] for row in rows])


def show_cpu(part):
    by_kind = {kind: role_cpu(results) for kind, results in part.items() if results and kind != "postfix"}
    roles = sorted({role for cpu in by_kind.values() for role in cpu})
    if roles:
        print("\nCPU of the gateway by role, ms per message (seal with its gpg processes)")
        table([""] + roles, [[kind] + [f"{cpu.get(role, 0):.2f}" for role in roles] for kind, cpu in by_kind.items()])


def show_memory(memory):
    print("\nMemory, MB (PSS: shared pages counted once)")
    table(["", "at rest", "peak"],
          [[name, f"{m['rest_pss'] / 1024:.0f}", f"{m['peak_pss'] / 1024:.0f}"] for name, m in memory.items()])
    if "gateway" not in memory:
        return
    print("\nPeak by role, MB (VmHWM, all processes of the role together)")
    peaks = sorted(memory["gateway"]["peak_rss"].items())
    table([""] + [name for name, _ in peaks], [["gateway"] + [f"{kb / 1024:.0f}" for _, kb in peaks]])


def show(result):
    about = result["about"]
    o = about["options"]
    print(f"{about['cores']} × {about['cpu']}, Linux {about['kernel']}, {about['file system']}; {', '.join(about['packages'])}")
    print(f"{o['sessions']} sessions, {o['size']} bytes, {o['rounds']} rounds, {o['workers']} seal workers, "
          f"OpenPGP {o['openpgp']}, S/MIME rsa2048; medians over the rounds; {about['seconds']} s in all")
    if result["busy"] > BUSY_MAX:
        print(f"Other programs used {result['busy']:.0%} of the cores before the first round: the figures are too low.")
    for part, title in TITLES.items():
        show_loads(title, result[part])
    show_over_load(result["loads"])
    if result["gpgme"]:
        print(f"\nGPGME alone, {o['workers']} processes: {median(result['gpgme'], 'per_second'):.0f} messages/s")
    show_cpu(result["steady"])
    show_memory(result["memory"])
    if result["ratios"]:
        print("\nRatios of messages per second, accepted unless said otherwise, each within its round")
        table(["", "median", "least", "most"],
              [[name] + [f"{r[k]:.2f}" for k in ("median", "least", "most")] for name, r in result["ratios"].items()])
