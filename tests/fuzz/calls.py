"""Every verb with right options, and what any option may be given instead."""

SCORE = ("--dataset", "digits", "--sample", "2", "--resolution", "8", "--batch-size", "8", "--metrics",
         "snip,params", "--benchmark", "nasbench201")  # fmt: skip
TRUTH = ("--target", "cifar10", "--source", "analognasbench", "--split", "test", "--resamples", "10")

COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "run": (("run", *SCORE, "--target", "cifar10", "--out", "ran", "--resamples", "10", "--executor", "local"),),
    "list": (("list", "metrics"), ("list", "benchmarks")),
    "plan": (("plan", "--metrics", "snip,swap(repeats=2),standard", "--json"),),
    "score": (("score", *SCORE, "--store", "new.sqlite", "--pool", "auto", "--seeds", "2", "--first-seed", "1"),
              ("score", "--benchmark", "darts", "--network", "channels=16,cells=5", "--pool", "space", "--sample", "1",
               "--dataset", "digits", "--metrics", "params", "--store", "new.sqlite"),
              ("score", "--benchmark", "transnasbench101_micro", "--task", "jigsaw", "--resolution", "32", "--dataset",
               "gaussian", "--sample", "1", "--metrics", "params", "--store", "new.sqlite"),
              ("score", "--dataset", "digits", "--architectures", "cells.txt", "--metrics", "params", "--device", "cpu",
               "--workers", "1", "--threads", "1", "--init", "pytorch", "--labels", "random", "--limit", "1")),
    "analyse": (("analyse", "--store", "s.sqlite", "--benchmark", "nasbench201", *TRUTH, "--out", "analysis"),),
    "report": (("report", "--store", "s.sqlite", "--title", "A title", *TRUTH, "--out", "report"),),
    "transfer": (("transfer", "--store", "two.sqlite", "--target", "cifar10", "--resamples", "10", "--out",
                  "transfer"),),
    "operations": (("operations", "--dataset", "digits", "--resolution", "8", "--batch-size", "8", "--scorers",
                    "zeros_snip", "--out", "operations"),),
    "export": (("export", "--store", "s.sqlite", "--out", "scores.csv"), ("export", "--store", "s.sqlite", "--out",
               "scores.parquet")),
    "merge": (("merge", "all.sqlite", "s.sqlite", "two.sqlite", "--keep-first"), ("merge", "s.sqlite", "two.sqlite")),
    "new": (("new", "metric", "my_metric", "--out", "made"), ("new", "workflow", "--out", "made.yml")),
    "check": (("check", "snip", "--json"), ("check", "a_metric.py")),
    "compare": (("compare", "a_metric.py", *SCORE[:-4], "--against", "params", "--resamples", "10", "--stability", "0",
                 "--out", "compared"), ("compare", "snip", "--store", "s.sqlite", "--stored", "--against", "params")),
    "gate": (("gate", "--baseline", "reference.json", "--fail-on", "spearman < -0.02", "--confidence", "0.9",
              "--tolerance", "1e-3", "--max-cost-ratio", "2", "--recorded-truth", "--json", "g.json", "--junit",
              "g.xml", "--markdown", "g.md"),
             ("gate", "--record", "--baseline", "r.json", *SCORE[:2], "--sample", "12", *SCORE[4:]),
             ("gate", "--record", "--baseline", "r.json", "--store", "s.sqlite", "--metrics", "params", *TRUTH[:-2]),
             ("gate", "--baseline", "reference.json", "--store", "s.sqlite", "--fail-on", "spearman < -0.02")),
    "results": (("results", "--store", "s.sqlite", "--benchmark", "nasbench201", "--metrics", "params", "--by", "me",
                 *TRUTH, "--out", "results"),),
    "leaderboard": (("leaderboard", "shared", "--out", "board.html", "--title", "A title", "--strict"),),
    "data status": (("data", "status", "nasbench101", "--json", "--folder", "data"),),
    "data convert": (("data", "convert", "nasbench201", "table.parquet", "--out", "out.parquet", "--curves"),),
    "data fetch": (("data", "fetch", "nasbench101", "nasbench_only108.tfrecord", "--to", "fetched", "--from", "origin",
                    "--timeout", "1", "--retries", "0"),),
    "data verify": (("data", "verify", "nasbench201", "--folder", "data"),),
}  # fmt: skip
"""By name: calls that are right, each of which is changed. `main` itself is changed where the verb is."""

AS_FAR_AS = {"fetch": (2, "is not the official nasbench_only108.tfrecord")}
"""Verbs whose right call ends with a complaint: the official file is not here."""

VALUES = (
    "", " ", "0", "-1", "1", "2", "9" * 30, "99999999999", "2147483648", "1e9", "-1e-400", "nan", "inf", "-inf", "0x10",
    "1_000", "٣", "½", "true", "None", "null", "--", "-", "---", "--help", "-h", "=", "a=b", ",", ",,,", "snip,snip",
    "()",
    "swap(repeats=2)", "swap(repeats=2,repeats=3)", "swap(repeats=1e30)", "swap(repeats=-1)", "swap(repeats=nan)",
    "swap(repeats=)", "swap(=2)", "swap(repeats=2", "swap)", "swap((repeats=2))", "swap(x=1)", "snip(x=1)", "all(x=1)",
    "nwot,", "no_such", "x.py", "a_metric.py:nothing", "a_metric.py:doubled", "a_metric.py:", ":", "é", "\u202e",
    "\x1b[2J",
    "\x00", "a\x00b", "\udcff", "a\nb", "x" * 3_000, "*", "..", "../..", "/", ".", "a_folder", "a_folder/x",
    "no/such/file",
    "a_file.txt", "a_file.txt/x", "/dev/null", "/proc/self/mem", "~", "$HOME", "%s%n", "file:///etc/passwd", "http://",
    "ftp://x", "http://[", "s.sqlite", "reference.json", "table.parquet", "empty", "cifar10", "cifar100", "cifar10/",
    "cifar10/x", "cifar10/accuracy", "nasbench201=analognasbench", "nasbench201=", "=analognasbench", "digits",
    "gaussian", "nasbench101", "nasbench301", "darts", "random", "pytorch", "kaiming_normal", "space", "truth", "worst",
    "no_dead_edge", "cuda", "cuda:99", "cuda:-1", "meta", "mps", "spearman < 1", "spearman<-0.1",
    "kendall[top10_truth] < -0.05", "spearman < nan", "spearman[] < 0", "channels=0",
    "channels=9999999999", "cells=2,cells=3", "cells=", "affine=maybe", "ray", "here",
)  # fmt: skip
"""What any option may be given."""

METRIC = '''"""Two metrics."""
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters


@metric("doubled", version=1, cite="nobody", caveats="none", higher_is_better=True, weights=Parameters())
def doubled(weights):
    return 2 * sum(w.abs().sum() for w in weights.values())
'''
