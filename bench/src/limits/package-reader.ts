/**
 * A process that reads the problem package at the path of each request, as the judge does: the
 * judge reads packages on the thread that answers its users.
 */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { loadProblem } from '../../../apps/judge/src/package/load-problem.ts';
import { renderStatement } from '../../../apps/judge/src/statement/render-statement.ts';

async function read(folder: string): Promise<string> {
  if (folder === '') return 'ready';
  try {
    const problem = await loadProblem(folder);
    for (const statement of problem.statements) await renderStatement(problem, statement, String);
    return 'read';
  } catch (error) {
    return (error as Error).message.slice(0, 80);
  }
}

createServer((request, response) => {
  void text(request)
    .then(read)
    .then((answer) => response.end(answer));
}).listen(Number(process.argv[2]), '127.0.0.1');
