/**
 * Fields beyond the words of the contract that a caller with a budget may send.
 *
 * Fields that no codec has a word for travel to the upstream. One of them may ask for dearer tokens
 * (`service_tier`), for tokens that no limit counts (`best_of`, `prediction`), for a tool that is
 * billed by the call (`web_search_options`), for another model (`models`) or for a prompt that the
 * request only names (`cached_content`). The list of these grows with each upstream. The lists here
 * name fields that cost no more than their bytes, which are reserved; a budget that counts the
 * request refuses the rest.
 */
import type { Extra, GenerateRequest } from '../contract.ts';
import { FieldError } from '../field-error.ts';
import { camelCased, googleFields } from '../wire/google-fields.ts';
import { asObject, namesOf, type Json } from '../wire/json.ts';

/** Fields of a request: OpenAI's, and the sampling fields of vLLM, llama.cpp and Ollama. */
const REQUEST = namesOf(`
  user prompt_cache_key metadata store safety_identifier prompt_cache_retention verbosity
  logit_bias suffix functions function_call extra_body min_tokens ignore_eos skip_special_tokens
  spaces_between_special_tokens stop_token_ids bad_words include_stop_str_in_output
  add_generation_prompt continue_final_message chat_template_kwargs guided_json guided_regex
  guided_choice guided_grammar structured_outputs grammar json_schema typical_p tfs_z top_a
  mirostat mirostat_tau mirostat_eta repeat_penalty repeat_last_n dry_multiplier dry_base
  dry_allowed_length dry_penalty_last_n dry_sequence_breakers xtc_probability xtc_threshold
  dynatemp_range dynatemp_exponent cache_prompt enable_thinking thinking reasoning
`);
/** Under `extra_body.google`. */
const GOOGLE = namesOf('safetySettings labels toolConfig thinkingConfig generationConfig');
const GOOGLE_CONFIG = namesOf(`
  temperature topP topK seed stopSequences presencePenalty frequencyPenalty responseMimeType
  responseSchema responseJsonSchema responseLogprobs logprobs thinkingConfig mediaResolution
  enableEnhancedCivicAnswers
`);
/** Fields of a message, a part, a call or a tool, with the fields of an answer that clients send back. */
const NESTED = namesOf(`
  extra_content detail annotations function_call refusal reasoning reasoning_details thinking
  signature prefix partial id status strict
`);
const EMBED = namesOf('user input_type task truncate truncation normalized extra_body');
const GOOGLE_EMBED = namesOf('taskType title autoTruncate');

/** @throws FieldError. */
export function checkBoundedRequest({ extra, messages, tools = [] }: GenerateRequest): void {
  check('', extra, REQUEST);
  const google = googleOf(extra);
  check('extra_body.google.', google, GOOGLE);
  const config = camelCased(asObject(google['generationConfig']) ?? {});
  check('extra_body.google.generationConfig.', config, GOOGLE_CONFIG);
  for (const message of messages) {
    checkNested('messages[].', message.extra);
    for (const call of message.toolCalls ?? []) checkNested('tool_calls[].', call.extra);
    for (const part of message.content) {
      if (part.type !== 'other') checkNested('content[].', part.extra);
    }
  }
  for (const tool of tools) checkNested('tools[].', tool.extra);
}

/** Checks fields of a function and of an image; those within are under its name. */
function checkNested(place: string, extra: Extra | undefined): void {
  if (extra === undefined) return;
  const { function: called, image_url: image, ...own } = extra;
  check(place, own, NESTED);
  check(`${place}function.`, asObject(called), NESTED);
  check(`${place}image_url.`, asObject(image), NESTED);
}

/** @throws FieldError. */
export function checkBoundedEmbed(extra: Extra | undefined): void {
  check('', extra, EMBED);
  check('extra_body.google.', googleOf(extra), GOOGLE_EMBED);
}

/** Only what is for Google may be in `extra_body`: another upstream may read the rest. */
function googleOf(extra: Extra | undefined): Json {
  check('extra_body.', asObject(extra?.['extra_body']), new Set(['google']));
  return googleFields(extra);
}

function check(place: string, fields: Extra | undefined, known: ReadonlySet<string>): void {
  for (const name in fields) {
    if (known.has(name) || fields[name] === undefined) continue;
    const field = `${place}${name.slice(0, 100)}`;
    throw new FieldError(
      field,
      `The field "${field}" may cost more than what is reserved for the request, and a budget counts this caller: leave it out, or ask the operator for a key that no budget counts.`,
    );
  }
}
