/** The management API and the pages of the node: every path that no other face answers. */
import { SkeinError } from '@skein/api';
import { brief } from '../brief.ts';
import { type Face, unknownRoute } from '../face.ts';
import type { Management } from './contract.ts';

/** The request's id is in its `x-request-id` header; a SkeinError that it throws becomes the answer. */
export interface ManagementOfFace {
  readonly management: {
    handle(...call: Parameters<Management['handle']>): boolean | Promise<boolean>;
  };
}

export function managementFace({ management }: ManagementOfFace): Face {
  return {
    http: () => ({
      owns: () => true,
      async serve(exchange) {
        const { request, response, id, headers } = exchange;
        request.headers['x-request-id'] = id;
        for (let index = 0; index < headers.length; index += 2) {
          response.setHeader(headers[index]!, headers[index + 1]!);
        }
        const url = URL.parse(request.url ?? '/', 'http://node');
        if (url === null) {
          throw new SkeinError(
            'REQUEST_INVALID',
            `The path ${brief(request.url)} is not a valid URL.`,
          );
        }
        if (!(await management.handle(request, response, url))) throw unknownRoute(exchange);
      },
    }),
  };
}
