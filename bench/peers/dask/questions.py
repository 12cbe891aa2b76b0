"""The peer: Dask with two workers of one thread each, over CSV files. Debian has no reader of Parquet for it.

  argv: folder of scratch files. Reads requests as lines of JSON {"kind", "number", "tables", "sums"}, and
  answers each with {"ms", "rows", "sums"}. A result stays in the memory of the workers.
"""
import json
import os
import sys
import time
import warnings

warnings.simplefilter("ignore")

import dask
import pandas

dask.config.set(
    {
        "dataframe.query-planning": False,
        "dataframe.convert-string": False,
        "dataframe.shuffle.method": "tasks",
        "temporary-directory": sys.argv[1] if len(sys.argv) > 1 else None,
    }
)

import dask.dataframe as dd
from distributed import Client, LocalCluster, wait

# Categories are what the db-benchmark takes for texts of few values.
GROUP = {
    "id1": "category", "id2": "category", "id3": "object", "id4": "int32", "id5": "int32", "id6": "int32",
    "v1": "int32", "v2": "int32", "v3": "float64",
}  # fmt: skip
JOIN = {
    "id1": "int32", "id2": "int32", "id3": "int32", "id4": "object", "id5": "object", "id6": "object",
    "v1": "float64", "v2": "float64",
}  # fmt: skip


def read(path, types, columns=None):
    """Blocks of a sixteenth of the file, 4 to 64 MiB: enough for two workers, and none too large."""
    size = min(64 << 20, max(4 << 20, os.path.getsize(path) // 16))
    if columns is None:
        with open(path) as file:
            columns = file.readline().strip().split(",")
    return dd.read_csv(path, blocksize=size, usecols=columns, dtype={name: types[name] for name in columns})


def by(frame, keys, **options):
    return frame.groupby(keys, observed=True, sort=False, **options)


def brought_together(frame, keys, work, meta):
    """Shuffles once, then each partition has all rows of its keys."""
    return frame.shuffle(keys).map_partitions(work, meta=meta)


def spread(part):
    found = by(part, ["id4", "id5"])["v3"].agg(["median", "std"]).reset_index()
    return found.rename(columns={"median": "v3", "std": "deviation"})


def largest(part):
    return by(part.sort_values("v3", ascending=False), "id6").head(2)


def all_keys(part):
    found = by(part, ["id1", "id2", "id3", "id4", "id5", "id6"])["v3"].agg(["sum", "count"]).reset_index()
    return found.rename(columns={"sum": "v3", "count": "n"})


def correlated(frame):
    frame = frame.assign(xy=frame.v1 * frame.v2, xx=frame.v1 * frame.v1, yy=frame.v2 * frame.v2, n=1)
    found = by(frame, ["id2", "id4"]).agg({name: "sum" for name in ["v1", "v2", "xy", "xx", "yy", "n"]})
    over = found.n * found.xy - found.v1 * found.v2
    under = (found.n * found.xx - found.v1**2) * (found.n * found.yy - found.v2**2)
    return found.assign(r2=over**2 / under)


def grouped(path, number):
    def of(*columns):
        return read(path, GROUP, list(columns))

    if number == 1:
        return by(of("id1", "v1"), "id1").agg({"v1": "sum"})
    if number == 2:
        return by(of("id1", "id2", "v1"), ["id1", "id2"]).agg({"v1": "sum"})
    if number == 3:
        return by(of("id3", "v1", "v3"), "id3").agg({"v1": "sum", "v3": "mean"}, split_out=2)
    if number == 4:
        return by(of("id4", "v1", "v2", "v3"), "id4").agg({"v1": "mean", "v2": "mean", "v3": "mean"})
    if number == 5:
        return by(of("id6", "v1", "v2", "v3"), "id6").agg({"v1": "sum", "v2": "sum", "v3": "sum"}, split_out=2)
    if number == 6:
        meta = {"id4": "int32", "id5": "int32", "v3": "float64", "deviation": "float64"}
        return brought_together(of("id4", "id5", "v3"), ["id4", "id5"], spread, meta)
    if number == 7:
        found = by(of("id3", "v1", "v2"), "id3").agg({"v1": "max", "v2": "min"}, split_out=2)
        return found.assign(v1=found.v1 - found.v2)
    if number == 8:
        return brought_together(of("id6", "v3"), "id6", largest, {"id6": "int32", "v3": "float64"})
    if number == 9:
        return correlated(of("id2", "id4", "v1", "v2").astype({"v1": "int64", "v2": "int64"}))
    meta = {**{name: GROUP[name] for name in ["id1", "id2", "id3", "id4", "id5", "id6"]}, "v3": "float64", "n": "int64"}
    meta = {**meta, "id1": "object", "id2": "object"}
    frame = read(path, {**GROUP, "id1": "object", "id2": "object"}, ["id1", "id2", "id3", "id4", "id5", "id6", "v3"])
    return brought_together(frame, "id3", all_keys, meta)


def joined(tables, number):
    left = read(tables["data"], JOIN)
    if number == 5:
        return left.merge(read(tables["big"], JOIN), on="id3", suffixes=("", "_big"))
    name = "small" if number == 1 else "medium"
    # One partition, so that it goes to each partition of the other table.
    right = dd.from_pandas(pandas.read_csv(tables[name]), npartitions=1)
    key = {1: "id1", 2: "id2", 3: "id2", 4: "id5"}[number]
    return left.merge(right, on=key, how="left" if number == 3 else "inner", suffixes=("", f"_{name}"))


def main():
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs="ERROR"
    )
    with Client(cluster):
        print(json.dumps({"ready": dask.__version__}), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            begun = time.perf_counter()
            tables, number = asked["tables"], asked["number"]
            found = grouped(tables["data"], number) if asked["kind"] == "group" else joined(tables, number)
            found = found.persist()
            wait(found)
            ms = (time.perf_counter() - begun) * 1000
            rows, *sums = dask.compute(found.shape[0], *[found[name].sum() for name in asked["sums"]])
            sums = {name: float(value) for name, value in zip(asked["sums"], sums)}
            del found
            print(json.dumps({"ms": ms, "rows": int(rows), "sums": sums}), flush=True)
    cluster.close()


if __name__ == "__main__":
    main()
