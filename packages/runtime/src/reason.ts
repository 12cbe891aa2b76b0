/**
 * Rewrites ONNX Runtime's messages for a reader: without the C++ file, line and function, and with
 * the operator, node and opset in words. A message that no rule matches stays as it is.
 */

/** Phrases around the reason, from the outside in. */
const WRAPPERS: readonly RegExp[] = [
  /^(?:failed to call OrtRun\(\)|Can't create a session)\. ERROR_CODE: \d+, ERROR_MESSAGE: /,
  /^Load model from .*? failed:/,
  /^Exception during (?:initialization|loading): /,
  /^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /,
  /^This is an invalid model\. (?=In Node|Type Error)/,
];

/** Numbers of TensorProto.DataType that the JavaScript API refuses. */
const UNCARRIED: Readonly<Record<string, string>> = {
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
};

/** Operator sets of ai.onnx: ONNX Runtime implements all of its operators from here on. */
const OLDEST_OPSET = 7;

const RULES: readonly (readonly [RegExp, (...groups: string[]) => string])[] = [
  [/^Load model (.+) failed\. File doesn't exist/, (path) => `There is no model file at ${path}.`],
  [/^Model data pointer is null/, () => 'The model file is empty.'],
  [
    /protobuf parsing failed/i,
    () => 'The file is not an ONNX model: it is cut off, corrupt, or something else.',
  ],
  [
    /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    (ir, newest) =>
      `The model has IR version ${ir}; ONNX Runtime supports versions up to ${newest}.`,
  ],
  [
    /Opset (\d+) is under development.*official support for domain (\S+) is till opset (\d+)/s,
    (opset, domain, newest) =>
      `The model uses opset ${opset} of ${domain}; ONNX Runtime supports opsets up to ${newest}.`,
  ],
  [
    /\("(.*?)", (\w+), .*Error No Op registered for \w+ with domain_version of (\d+)/s,
    (node, operator, opset) =>
      `Operator '${operator}'${at(node)} does not exist in opset ${opset} of its domain.`,
  ],
  [
    /\("(.*?)", (\w+), .*Error Op registered for \w+ is deprecated in domain_version of (\d+)/s,
    (node, operator, opset) =>
      `Operator '${operator}'${at(node)} was withdrawn before opset ${opset} of its domain.`,
  ],
  [
    /^No Op registered for (\w+) with domain_version of (\d+)/,
    (operator, opset) => `Operator '${operator}' does not exist in opset ${opset} of its domain.`,
  ],
  [
    /\("(.*?)", (\w+), .*Error No opset import for domain '(.*?)'/s,
    (node, operator, domain) =>
      `Operator '${operator}'${at(node)} belongs to the domain '${domain}', which the model does not import.`,
  ],
  [
    /^Fatal error: (.*):(\w+)\(-?\d+\) is not a registered function\/op/,
    (domain, operator) => `ONNX Runtime has no operator '${operator}' of domain '${domain}'.`,
  ],
  [
    /^Could not find an implementation for (\w+)\((\d+)\) node with name '(.*)'/,
    (operator, version, node) =>
      `ONNX Runtime has no implementation of operator '${operator}'${at(node)} as of opset ${version} for its element types.` +
      (Number(version) < OLDEST_OPSET
        ? ` A model of an opset before ${OLDEST_OPSET} must be converted, or exported again.`
        : ''),
  ],
  [
    /^In Node, \("(.*?)", (\w+), .*?\) -> \(.*?\) ?, Error (.*)$/s,
    (node, operator, why) => `${nameOf(operator, node)}: ${why}`,
  ],
  [
    /^Non-zero status code returned while running (\w+) node\. Name:'(.*?)' Status Message: (.*)$/s,
    (operator, node, why) => `${nameOf(operator, node)}: ${explain(why)}`,
  ],
  // The exception of the C++ library for a text that it cannot read as a number.
  [/^stoll$/, () => 'a text is not an integer of 64 bits.'],
  [/^stoull$/, () => 'a text is not an unsigned integer of 64 bits.'],
  [/^sto(?:f|d)$/, () => 'a text is not a number.'],
  [
    /^Got invalid dimensions for input: (.*?) for the following indices\s*(.*?)\s*Please fix/s,
    (input, indices) =>
      `Input '${input}' has a shape that the model does not take: ${indices
        .split('\n')
        .map((line) =>
          line
            .trim()
            .replace(
              /^index: (\d+) Got: (\d+) Expected: (\d+)$/,
              'dimension $1 is $2 instead of $3',
            ),
        )
        .join(', ')}.`,
  ],
  [
    /^Invalid rank for input: (.*?) Got: (\d+) Expected: (\d+)/,
    (input, got, expected) => `Input '${input}' has ${got} dimensions instead of ${expected}.`,
  ],
  [
    /^Unexpected input data type\. Actual: \(tensor\((\w+)\)\) ?, expected: \(tensor\((\w+)\)\)/,
    (got, expected) => `An input has the element type ${got} instead of ${expected}.`,
  ],
  [/^input '(.*)' is missing in 'feeds'/, (input) => `Input '${input}' is missing.`],
  [
    /^unsupported data type: (\d+)/i,
    (number) =>
      `An input or output is ${UNCARRIED[number] ?? `of type ${number}`}, which ONNX Runtime's JavaScript API cannot carry.`,
  ],
  [/^.* was false\. (?=\S)(.*)$/s, (why) => why],
];

const at = (node: string): string => (node === '' ? '' : ` (node '${node}')`);

const nameOf = (operator: string, node: string): string =>
  node === '' ? `Operator ${operator}` : `Node '${node}' (${operator})`;

/** Rules that make a sentence which names the cause. */
export function explain(raw: string): string {
  let reason = raw.trim();
  for (let before = ''; before !== reason;) {
    before = reason;
    for (const wrapper of WRAPPERS) reason = reason.replace(wrapper, '');
    reason = withoutLocations(reason).trim();
  }
  for (const [pattern, sentence] of RULES) {
    const match = pattern.exec(reason);
    if (match !== null) return sentence(...match.slice(1));
  }
  return reason;
}

/** Removes `file.cc:12 some::Function(with, types) ` and `file.cc:12 Function `. */
function withoutLocations(text: string): string {
  const location = /(?:[\w./+-]*\/)?[\w-]+\.(?:cc|h|cpp|cu|cuh):\d+ /.exec(text);
  if (location === null) return text;
  const start = location.index;
  const after = start + location[0].length;
  const open = text.indexOf('(', after);
  const signature = open < 0 ? '' : text.slice(after, open);
  const end = /^[\w\s:<>,*&~]*::[\w\s<>,*&~]+$/.test(signature)
    ? endOfParameters(text, open)
    : after + /^\w*/.exec(text.slice(after))![0].length;
  const rest = text
    .slice(end)
    .replace(/^ const\b/, '')
    .trimStart();
  return withoutLocations(text.slice(0, start) + rest);
}

function endOfParameters(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0 && text[i + 1] !== '(') return i + 1;
  }
  return text.length;
}
