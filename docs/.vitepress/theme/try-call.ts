/** One operation of the API reference with a form: its values, the answer of a node, and the call as code. */
import { computed, defineComponent, h, type PropType, reactive, ref, type VNode } from 'vue';
import { type Call, CLIENTS, CODE } from '../calls/call.ts';
import type { Operation } from '../calls/operation.ts';
import { base, key, origin } from './node-address.ts';
import { type Answer, send } from './send.ts';
import './try-call.css';

/** Says how many bytes of a body are JSON, so it belongs to a file only. */
const WHOLE_BODY = 'Inference-Header-Content-Length';

export default defineComponent({
  name: 'TryCall',
  props: { operation: { type: Object as PropType<Operation>, required: true } },
  setup({ operation }, { slots }) {
    const isOpen = ref(false);
    const client = ref<(typeof CLIENTS)[number]>('curl');
    const values = reactive(
      Object.fromEntries(operation.parameters.map(({ name, example }) => [name, example])),
    );
    const json = ref(operation.json ?? '');
    const sendsFile = ref(operation.file);
    const file = ref<File>();
    const answer = ref<Answer>();
    let abort: AbortController | undefined;

    const call = computed<Call>(() => ({
      operation,
      base: base.value,
      hasKey: key.value !== '',
      values: sendsFile.value ? values : { ...values, [WHOLE_BODY]: '' },
      body: bodyOf(),
    }));

    function bodyOf(): Call['body'] {
      if (sendsFile.value) return { file: file.value?.name ?? 'FILE' };
      return operation.json === undefined ? undefined : { json: json.value };
    }

    async function submit(event: Event): Promise<void> {
      event.preventDefault();
      abort?.abort();
      abort = new AbortController();
      const { signal } = abort;
      const content = sendsFile.value ? file.value : undefined;
      for await (const part of send(call.value, key.value, content, signal)) {
        if (!signal.aborted) answer.value = part;
      }
    }

    const id = (name: string): string => `try-${operation.id}-${name}`;

    const parameters = (): VNode[] =>
      operation.parameters
        .filter(({ name }) => sendsFile.value || name !== WHOLE_BODY)
        .map(({ name, in: place, required }) =>
          h('label', [
            h('span', [h('code', name), ` ${place}${required ? '' : ', optional'}`]),
            h('input', {
              value: values[name],
              required,
              spellcheck: false,
              onInput: ({ target }: Event) => (values[name] = (target as HTMLInputElement).value),
            }),
          ]),
        );

    const kindOfBody = (): VNode[] =>
      operation.file && operation.json !== undefined
        ? [
            h('label', [
              h('span', 'Body'),
              h(
                'select',
                {
                  onChange: ({ target }: Event) =>
                    (sendsFile.value = (target as HTMLSelectElement).value === 'file'),
                },
                [
                  h('option', { value: 'file' }, 'a file, such as an image for ocr'),
                  h('option', { value: 'json' }, 'JSON'),
                ],
              ),
            ]),
          ]
        : [];

    const body = (): VNode[] => {
      if (sendsFile.value) {
        return [
          h('label', [
            h('span', 'File'),
            h('input', {
              type: 'file',
              required: true,
              onChange: ({ target }: Event) =>
                (file.value = (target as HTMLInputElement).files?.[0]),
            }),
          ]),
        ];
      }
      if (operation.json === undefined) return [];
      return [
        h('label', [
          h('span', 'Body, JSON'),
          h('textarea', {
            value: json.value,
            rows: Math.min(20, json.value.split('\n').length),
            spellcheck: false,
            onInput: ({ target }: Event) => (json.value = (target as HTMLTextAreaElement).value),
          }),
        ]),
      ];
    };

    const code = (): VNode =>
      h('div', { class: 'try-code' }, [
        h(
          'div',
          { role: 'group', 'aria-label': 'The call as code' },
          CLIENTS.map((name) =>
            h(
              'button',
              {
                type: 'button',
                'aria-pressed': client.value === name,
                onClick: () => (client.value = name),
              },
              name,
            ),
          ),
        ),
        h('pre', { tabindex: 0 }, h('code', CODE[client.value](call.value))),
      ]);

    const result = (): VNode =>
      h(
        'div',
        { role: 'status', class: 'try-answer' },
        answer.value === undefined ? [] : shown(answer.value),
      );

    const opened = (): VNode[] => [
      h('form', { onSubmit: submit }, [
        ...parameters(),
        ...kindOfBody(),
        ...body(),
        h('div', { class: 'try-actions' }, [
          h('button', { type: 'submit' }, 'Send'),
          answer.value?.state === 'open'
            ? h('button', { type: 'button', onClick: () => abort?.abort() }, 'Stop')
            : undefined,
        ]),
      ]),
      result(),
      code(),
    ];

    return () =>
      h('div', { class: 'try-call' }, [
        isOpen.value ? undefined : slots['default']?.(),
        h(
          'button',
          {
            type: 'button',
            class: 'try-open',
            'aria-expanded': isOpen.value,
            'aria-controls': id('form'),
            onClick: () => (isOpen.value = !isOpen.value),
          },
          isOpen.value ? 'Close' : 'Try it',
        ),
        h('div', { id: id('form') }, isOpen.value ? opened() : []),
      ]);
  },
});

function shown(answer: Answer): VNode[] {
  if (answer.state === 'unreachable') {
    return [
      h('p', [
        `This page got no answer. Either no node is at ${base.value}, or the node does not allow pages of ${origin.value}. Start it with `,
        h('code', `--allow-origin ${origin.value}`),
        ', or run the call as code below. A page over HTTPS can call plain HTTP on your own machine only.',
      ]),
    ];
  }
  return [h('p', answer.status), h('pre', { tabindex: 0 }, h('code', answer.text))];
}
