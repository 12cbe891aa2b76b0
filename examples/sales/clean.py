"""Tidies a table of sales: names of cities alike, rows without an amount left out.

    python3 clean.py sales.csv [clean.csv]
"""
import csv
import sys

source = sys.argv[1]
rows = list(csv.DictReader(open(source, newline="")))
kept = [
    {**row, "city": row["city"].strip().title()} for row in rows if row["amount"] != ""
]
target = open(sys.argv[2], "w", newline="") if len(sys.argv) > 2 else sys.stdout
writer = csv.DictWriter(target, ["month", "city", "amount"])
writer.writeheader()
writer.writerows(kept)
print(f"kept {len(kept)} of {len(rows)} rows", file=sys.stderr)
