/** Calls of one turn of the event loop that go to the server as one. */

/** Bounds how long one call occupies the server. */
const MOST = 200;

/** @param run answers in the order of the items; when it fails, all of them fail. */
export function gather<Item, Answer>(
  run: (items: readonly Item[]) => Promise<readonly Answer[]>,
): (item: Item) => Promise<Answer> {
  let waiting: { item: Item; answer: PromiseWithResolvers<Answer> }[] = [];

  async function send(batch: typeof waiting): Promise<void> {
    try {
      const answers = await run(batch.map(({ item }) => item));
      for (const [index, { answer }] of batch.entries()) answer.resolve(answers[index] as Answer);
    } catch (error) {
      for (const { answer } of batch) answer.reject(error);
    }
  }
  function flush(): void {
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += MOST) void send(all.slice(from, from + MOST));
  }
  return (item) => {
    if (waiting.length === 0) setImmediate(flush);
    const answer = Promise.withResolvers<Answer>();
    waiting.push({ item, answer });
    return answer.promise;
  };
}
