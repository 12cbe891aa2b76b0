/** The form for submitting a program, or answers that were computed elsewhere. */
import { SkeinError } from '@skein/api/errors';
import { bytes, fixOf, useStore } from '@skein/ui';
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { draftOf, keepDraft } from './drafts.ts';
import { Editor } from './editor.tsx';
import { me, submit, type Problem, type SubmissionRow } from '../judge-api.ts';
import { Judging } from './judging.tsx';
import { askForKey } from '../sign-in.tsx';

const LANGUAGE = 'skein-judge-language';

/** Fields of a submission without the problem. */
type Read = () => Promise<object>;

/** The form, and below it the submissions made while the page is open, newest first. */
export function Work({ problem }: { readonly problem: Problem }) {
  const user = useStore(me);
  const [handedIn, setHandedIn] = useState<readonly SubmissionRow[]>([]);
  const [refusal, setRefusal] = useState<unknown>();
  const [isBusy, setIsBusy] = useState(false);

  async function hand(read: Read): Promise<void> {
    if (isBusy) return;
    if (user === undefined) return askForKey('Sign in to hand in a program.');
    setIsBusy(true);
    setRefusal(undefined);
    try {
      const submission = await submit({ problem: problem.id, ...(await read()) });
      setHandedIn((before) => [submission, ...before]);
    } catch (error) {
      setRefusal(error);
    }
    setIsBusy(false);
  }

  const button = (
    <button type="submit" id="submit" aria-disabled={isBusy}>
      Submit
    </button>
  );
  const Form = problem.answerFiles === undefined ? ProgramForm : AnswersForm;
  return (
    <div class="work">
      <Form problem={problem} hand={(read) => void hand(read)} submit={button}>
        <div class="refusal" role="alert" hidden={refusal === undefined}>
          {refusal === undefined ? null : <Refusal error={refusal} />}
        </div>
      </Form>
      <div class="results">
        {handedIn.map((submission) => (
          <Judging key={submission.id} first={submission} linked />
        ))}
      </div>
    </div>
  );
}

function Refusal({ error }: { readonly error: unknown }) {
  const isKnown = error instanceof SkeinError;
  return (
    <>
      <strong>{isKnown ? error.message : 'The page has a fault; reload it.'}</strong>
      {isKnown ? <span>{fixOf(error)}</span> : null}
    </>
  );
}

interface FormProps {
  readonly problem: Problem;
  readonly hand: (read: Read) => void;
  /** The button. */
  readonly submit: ComponentChildren;
  readonly children: ComponentChildren;
}

function Frame({
  read,
  hand,
  fields,
  buttons,
  children,
}: Pick<FormProps, 'hand' | 'children'> & {
  readonly read: Read;
  readonly fields: ComponentChildren;
  readonly buttons: ComponentChildren;
}) {
  return (
    <form
      class="panel hand-in"
      onSubmit={(event) => {
        event.preventDefault();
        hand(read);
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        hand(read);
      }}
    >
      {fields}
      <p class="buttons">{buttons}</p>
      {children}
    </form>
  );
}

/** A program that is typed, or one file that is read into the editor; drafts stay in this tab until its user signs out. */
function ProgramForm({ problem, hand, submit: button, children }: FormProps) {
  const { id, languages, codeBytes } = problem;
  const [language, setLanguage] = useState(() => firstLanguage(languages));
  const [text, setText] = useState(() => draftOf(id, language));
  /** Counts the initial texts of the editor. */
  const [revision, setRevision] = useState(0);
  /** Name of the file that was opened last, when the editor cannot hold its bytes. */
  const [unreadable, setUnreadable] = useState<string>();
  const written = new TextEncoder().encode(text).length;

  function change(next: string, code = language): void {
    keepDraft(id, code, next);
    setText(next);
  }
  function choose(code: string): void {
    localStorage.setItem(LANGUAGE, code);
    setLanguage(code);
    setText(draftOf(id, code));
    setUnreadable(undefined);
    setRevision((count) => count + 1);
  }
  async function open([file]: readonly File[]): Promise<void> {
    if (file === undefined) return;
    const dot = file.name.lastIndexOf('.');
    const extension = dot === -1 ? '' : file.name.slice(dot);
    const known = languages.find(({ extensions }) => extensions.includes(extension));
    const content = await file.arrayBuffer();
    if (known !== undefined) setLanguage(known.code);
    change(new TextDecoder().decode(content), known?.code);
    setUnreadable(isUtf8(content) ? undefined : file.name);
    setRevision((count) => count + 1);
  }
  return (
    <Frame
      hand={hand}
      read={async () => ({ language, source: text })}
      fields={
        <>
          <p class="bar">
            <label>
              {'Language '}
              <select
                id="language"
                value={language}
                onChange={({ currentTarget }) => choose(currentTarget.value)}
              >
                {availableFirst(languages).map(({ code, name, available, reason }) => (
                  <option value={code} title={reason}>
                    {available ? name : `${name} (not here now)`}
                  </option>
                ))}
              </select>
            </label>
            <span class={written > codeBytes ? 'muted over' : 'muted'} id="bytes">
              {`${bytes(written)} of ${bytes(codeBytes)}`}
            </span>
          </p>
          <Editor key={revision} language={language} text={text} changed={change} />
          <div class="refusal" role="alert" hidden={unreadable === undefined}>
            <strong>{`${unreadable} is not UTF-8: it would be handed in with � for what the editor cannot read.`}</strong>
            <span>Save it as UTF-8, and open it again.</span>
          </div>
        </>
      }
      buttons={
        <>
          <FileButton id="file" take={(files) => void open(files)}>
            Open a file
          </FileButton>
          {button}
        </>
      }
    >
      {children}
    </Frame>
  );
}

function isUtf8(content: ArrayBuffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(content);
    return true;
  } catch {
    return false;
  }
}

function availableFirst(languages: Problem['languages']): Problem['languages'] {
  return [...languages].sort((one, other) => Number(other.available) - Number(one.available));
}

function firstLanguage(languages: Problem['languages']): string {
  const stored = localStorage.getItem(LANGUAGE);
  if (languages.some(({ code }) => code === stored)) return stored ?? '';
  return (languages.find(({ available }) => available) ?? languages[0])?.code ?? '';
}

/** Answers that were computed elsewhere, a file for each test. */
function AnswersForm({ problem, hand, submit: button, children }: FormProps) {
  const names = problem.answerFiles ?? [];
  /** By the name under which a file is handed in. */
  const [chosen, setChosen] = useState<ReadonlyMap<string, File>>(new Map());
  const choose = (files: readonly (readonly [string, File])[]): void =>
    setChosen((before) => new Map([...before, ...files]));
  const read = async (): Promise<object> => ({
    files: await Promise.all(
      [...chosen].map(async ([path, file]) => ({ path, base64: await base64Of(file) })),
    ),
  });
  return (
    <Frame
      hand={hand}
      read={read}
      fields={
        <>
          <p>This problem takes answers, not programs. Choose a file for each test.</p>
          <ul class="answers">
            {names.map((name) => {
              const file = chosen.get(name);
              return (
                <li data-there={file !== undefined}>
                  <code>{name}</code>
                  {` ${file === undefined ? 'no file yet' : bytes(file.size)} `}
                  <FileButton
                    name={`File for ${name}`}
                    take={([one]) => one && choose([[name, one]])}
                  >
                    Choose
                  </FileButton>
                </li>
              );
            })}
          </ul>
        </>
      }
      buttons={
        <>
          <FileButton
            id="file"
            multiple
            take={(files) => choose(files.map((file) => [answerNamed(file.name, names), file]))}
          >
            Choose files
          </FileButton>
          {button}
        </>
      }
    >
      {children}
    </Frame>
  );
}

/** The answer that a file of this name is: a browser does not report in which folder the file was. */
function answerNamed(file: string, names: readonly string[]): string {
  const meant = names.filter((name) => name.split('/').at(-1) === file);
  return meant.length === 1 ? meant[0]! : file;
}

/** A file byte for byte: an answer is not always text. */
function base64Of(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve((reader.result as string).replace(/^.*?,/, '')));
    reader.addEventListener('error', () => reject(reader.error ?? new Error(file.name)));
    reader.readAsDataURL(file);
  });
}

function FileButton({
  id,
  name,
  multiple = false,
  take,
  children,
}: {
  readonly id?: string;
  /** For screen readers, where the text alone does not name the purpose of the file. */
  readonly name?: string;
  readonly multiple?: boolean;
  readonly take: (files: readonly File[]) => void;
  readonly children: string;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <label class="quiet button">
      <input
        ref={input}
        type="file"
        id={id}
        aria-label={name}
        multiple={multiple}
        class="visually-hidden"
        onChange={() => {
          take([...(input.current?.files ?? [])]);
          // The same file can be chosen again after it was changed.
          if (input.current !== null) input.current.value = '';
        }}
      />
      {children}
    </label>
  );
}
