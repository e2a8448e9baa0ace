"""The page of functional coverage: scores of covergroups, and the holes."""
from .page import Page
from .plots import plt, style
from .text import percent

MOST_HOLES = 1000  # in the table of a page


def times(hits):
    return "one hit" if hits == 1 else f"{hits} hits"


def score_plot(page, groups):
    names = [f"{g['instance']}: {g['type']}" for g in groups]
    figure, axes = plt.subplots(figsize=(9, 1.0 + 0.36 * len(groups)))
    for i, g in enumerate(groups):
        axes.barh([i], [100 * g["score"]["share"]], height=0.7, **style(0))
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 100)
    axes.set_xlabel("bins covered (%)")
    axes.set_ylabel("covergroup")
    page.plot(figure, "Share of covered bins of each covergroup",
              "Bins of coverpoints and of crosses have equal weight; ignored and illegal bins are not counted.")


def coverage_page(folder, r):
    score = r["score"]
    page = Page("Functional coverage", f"{len(r['runs'])} runs, {len(r['groups'])} covergroups")
    page.section("Summary")
    failed = [x["name"] for x in r["runs"] if not x["passed"]]
    sentences = [f"{score['covered']} of {score['counted']} bins are covered ({percent(score['share'])})."]
    if score["illegal_hits"]:
        sentences.append(f"Illegal bins were hit {score['illegal_hits']} times.")
    if failed:
        sentences.append(f"{len(failed)} runs failed or were interrupted: {', '.join(failed[:10])}.")
    page.items(sentences)
    if r["groups"]:
        score_plot(page, r["groups"])

    page.section("Holes")
    if not r["holes"]:
        page.text("None.")
    else:
        page.table(f"Holes{'' if len(r['holes']) <= MOST_HOLES else f', the first {MOST_HOLES} of ' + str(len(r['holes']))}",
                   ["covergroup", "coverpoint or cross", "bin", "hits", "expected"],
                   [[h["group"], h["point"], h["bin"], h["hits"], f"at least {h['at_least']}" if h["at_least"] else "none, illegal"]
                    for h in r["holes"][:MOST_HOLES]],
                   mark=lambda row: "bad" if row[4].startswith("none") else "")

    for g in r["groups"]:
        page.section(f"{g['instance']}: {g['type']}")
        for p in g["points"]:
            page.text(f"{p['name']}: {p['meaning']}. {p['score']['covered']} of {p['score']['counted']} bins; a bin is covered by {times(p['at_least'])}.")
            page.table(p["name"], ["bin", "kind", "hits"], [[b["name"], b["kind"], b["hits"]] for b in p["bins"]],
                       mark=lambda row, least=p["at_least"]: "bad" if (row[1] == "counted" and row[2] < least) or (row[1] == "illegal" and row[2]) else "")
        if g["crosses"]:
            page.table("Crosses", ["cross", "covered", "share", "illegal hits"],
                       [[c["name"], f"{c['score']['covered']} of {c['score']['counted']}", percent(c["score"]["share"]), c["score"]["illegal_hits"]] for c in g["crosses"]])

    page.section("Runs")
    page.table("Runs", ["run", "seed", "state", "command"], [[x["name"], x["seed"], "passed" if x["passed"] else "failed", x["command"]] for x in r["runs"]])
    return page
