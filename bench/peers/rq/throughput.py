"""The peer: RQ with its simple worker in one process, which forks nothing. No-op jobs.

  argv: socket or port of Redis, jobs. Prints jobs per second, from the first enqueue to the last end.
"""
import sys
import time

from redis import Redis
from rq import Queue, SimpleWorker


def noop():
    return None


if __name__ == "__main__":
    import throughput

    connection = Redis(port=int(sys.argv[1]))
    jobs = int(sys.argv[2])
    queue = Queue("bench", connection=connection)
    begun = time.perf_counter()
    queue.enqueue_many([Queue.prepare_data(throughput.noop) for _ in range(jobs)])
    SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")
    print(jobs / (time.perf_counter() - begun))
