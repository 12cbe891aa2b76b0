/** The events of a streamed response: each has a `sequence_number`. */
import { SkeinError } from '@skein/api';
import type { GenerateEvent, Receipt, Usage } from '@skein/generative';
import { addTo, newChoice } from '../language/collect.ts';
import type { Fields } from '../language/fields.ts';
import { logprobOf } from './chat-answer.ts';
import { errorOf } from './errors.ts';
import { hasSignature, reasoningItem, summaryPart } from './reasoning-item.ts';
import type { ReasoningSeals } from './reasoning-seals.ts';
import {
  callItem,
  messageItem,
  refusalOf,
  refusalPart,
  responseOf,
  type Status,
  statusOf,
  textPart,
} from './responses-object.ts';

type PartKind = 'text' | 'refusal';

/** The events of one response. Items open when their first piece comes, and close at the end. */
export function responseEvents(id: string, head: Fields, seals: ReasoningSeals) {
  const choice = newChoice();
  let sequence = 0;
  let usage: Usage | undefined;
  /** `reasoning`, `message` or the index of a call, in the order in which they opened. */
  const open: (string | number)[] = [];
  /** The parts of the message, in that order. */
  const parts: PartKind[] = [];

  const event = (type: string, fields: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  const whole = (status: Status, output: readonly unknown[], receipt?: Receipt): Fields =>
    responseOf(head, { status, finish: choice.finish, output, usage, receipt });

  /** @returns the index of the item, and the events that open it. */
  function opened(key: string | number, item: () => Fields, more = ''): [number, string] {
    const known = open.indexOf(key);
    if (known !== -1) return [known, ''];
    const index = open.push(key) - 1;
    return [
      index,
      event('response.output_item.added', { output_index: index, item: item() }) + more,
    ];
  }

  /** @returns where the part is, and the events that open it. */
  function openPart(kind: PartKind): [Fields, string] {
    const [output_index, text] = opened('message', () => messageItem(id, 'in_progress', []));
    const known = parts.indexOf(kind);
    const content_index = known === -1 ? parts.push(kind) - 1 : known;
    const place = { item_id: `msg_${id}`, output_index, content_index };
    if (known !== -1) return [place, text];
    const part = kind === 'text' ? textPart({ text: '', logprobs: [] }) : refusalPart('');
    return [place, text + event('response.content_part.added', { ...place, part })];
  }

  function closePart(kind: PartKind, place: Fields): [string, Fields] {
    const part = kind === 'text' ? textPart(choice) : refusalPart(refusalOf(choice.extra));
    const { text, logprobs, refusal } = part;
    const content = kind === 'text' ? { text, logprobs } : { refusal };
    const name = kind === 'text' ? 'output_text' : 'refusal';
    const done = event(`response.${name}.done`, { ...place, ...content });
    return [done + event('response.content_part.done', { ...place, part }), part];
  }

  function close(key: string | number, output_index: number): [string, Fields] {
    const status = statusOf(choice) === 'completed' ? 'completed' : 'incomplete';
    const [events, item] = closing(key, output_index, status);
    return [events + event('response.output_item.done', { output_index, item }), item];
  }

  function closing(key: string | number, output_index: number, status: string): [string, Fields] {
    if (key === 'message') {
      const place = { item_id: `msg_${id}`, output_index };
      const closed = parts.map((kind, at) => closePart(kind, { ...place, content_index: at }));
      const content = closed.map(([, part]) => part);
      const item = messageItem(id, status, content, choice.extra);
      return [closed.map(([events]) => events).join(''), item];
    }
    if (typeof key === 'number') {
      const call = choice.toolCalls[key]!;
      const place = { item_id: `fc_${id}_${key}`, output_index };
      const done = event('response.function_call_arguments.done', {
        ...place,
        name: call.name,
        arguments: call.arguments,
      });
      return [done, callItem(id, key, call, status)];
    }
    const item = reasoningItem(id, seals, choice);
    const { reasoning: text } = choice;
    if (text === '') return ['', item];
    const place = { item_id: `rs_${id}`, output_index, summary_index: 0 };
    const done = event('response.reasoning_summary_text.done', { ...place, text });
    const part = summaryPart(text);
    return [done + event('response.reasoning_summary_part.done', { ...place, part }), item];
  }

  const openReasoning = () => opened('reasoning', () => reasoningItem(id, seals));

  function thought(delta: string): string {
    const [output_index, opening] = openReasoning();
    if (delta === '') return opening;
    const place = { item_id: `rs_${id}`, output_index, summary_index: 0 };
    const isFirst = choice.reasoning.length === delta.length;
    const part = summaryPart('');
    const added = isFirst ? event('response.reasoning_summary_part.added', { ...place, part }) : '';
    return opening + added + event('response.reasoning_summary_text.delta', { ...place, delta });
  }

  function textDelta(delta: string, logprobs: readonly unknown[]): string {
    const [place, text] = openPart('text');
    return text + event('response.output_text.delta', { ...place, delta, logprobs });
  }

  function written(given: GenerateEvent): string {
    switch (given.type) {
      // Providers send log probabilities before or after their text.
      case 'logprobs':
        return textDelta('', given.tokens.map(logprobOf));
      case 'text': {
        const text = given.text === '' ? '' : textDelta(given.text, []);
        const delta = refusalOf(given.extra);
        if (delta === '') return text;
        const [place, opening] = openPart('refusal');
        return text + opening + event('response.refusal.delta', { ...place, delta });
      }
      case 'reasoning':
        return thought(given.text);
      case 'tool-call': {
        const { index } = given;
        const call = choice.toolCalls[index]!;
        const [output_index, text] = opened(index, () => callItem(id, index, call, 'in_progress'));
        const place = { item_id: `fc_${id}_${index}`, output_index };
        if (given.arguments === '') return text;
        return (
          text +
          event('response.function_call_arguments.delta', { ...place, delta: given.arguments })
        );
      }
      default:
        return '';
    }
  }

  return {
    begin: () =>
      event('response.created', { response: whole('in_progress', []) }) +
      event('response.in_progress', { response: whole('in_progress', []) }),

    write(given: GenerateEvent): string {
      if (given.type === 'usage') usage = given.usage;
      if (given.type === 'usage' || given.type === 'start') return '';
      addTo(choice, given);
      const isSigned = 'extra' in given && hasSignature(given.extra);
      return (isSigned ? openReasoning()[1] : '') + written(given);
    },

    /**
     * Closes the items. @returns the response, for `finish` to end with.
     * @throws SkeinError PROVIDER_CUT.
     */
    end(receipt: Receipt | undefined): { readonly text: string; readonly response: Fields } {
      if (choice.finish === undefined) {
        throw new SkeinError('PROVIDER_CUT', 'The answer ended before it was whole.');
      }
      const first = open.every((key) => key === 'reasoning') ? openPart('text')[1] : '';
      const closed = open.map((key, index) => close(key, index));
      const output = closed.map(([, item]) => item);
      return {
        text: first + closed.map(([text]) => text).join(''),
        response: whole(statusOf(choice), output, receipt),
      };
    },

    finish: (response: Fields): string => event(`response.${statusOf(choice)}`, { response }),

    fail(error: SkeinError): string {
      const { error: shown } = errorOf(error, '/v1/responses') as { error: Fields };
      const { message, code, param } = shown;
      const response = { ...whole('failed', []), error: { code, message } };
      return event('error', { code, message, param }) + event('response.failed', { response });
    },
  };
}
