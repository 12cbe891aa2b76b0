/**
 * An editor for a program: CodeMirror with the highlighting of the language. Tab indents; after
 * Escape, Tab moves the focus, so that keyboard users can leave the editor.
 *
 * The editor lives in a shadow root, whose style sheets are made by a script as objects: the policy
 * of the page allows no style elements.
 */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { cpp } from '@codemirror/lang-cpp';
import { go } from '@codemirror/lang-go';
import { java } from '@codemirror/lang-java';
import { javascript } from '@codemirror/lang-javascript';
import { python } from '@codemirror/lang-python';
import { rust } from '@codemirror/lang-rust';
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { EditorView, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'preact/hooks';
import type { Grammar } from '../../languages/language.ts';
import { languageOf } from '../../languages/languages.ts';

const GRAMMARS: Readonly<Record<Grammar, () => Extension>> = {
  cpp,
  go,
  java,
  javascript,
  python,
  rust,
  typescript: () => javascript({ typescript: true }),
};

const HINT = 'Tab indents; Escape, then Tab, leaves. Ctrl+Enter submits.';

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--accent)' },
  { tag: [tags.string, tags.character, tags.regexp], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.typeName, tags.className, tags.macroName], color: 'var(--odd)' },
  {
    tag: [tags.definition(tags.variableName), tags.function(tags.variableName)],
    fontWeight: '600',
  },
]);

const THEME = EditorView.theme({
  '&': { height: 'auto', minHeight: '260px', backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5', minHeight: '260px' },
  '.cm-content': { padding: '10px 0', caretColor: 'var(--ink)', minHeight: '260px' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': {
    // The line numbers' background ends with the editor, not with the last line.
    height: 'auto',
    alignSelf: 'stretch',
    backgroundColor: 'var(--raised)',
    color: 'var(--muted)',
    border: 'none',
    minWidth: '42px',
  },
  '.cm-placeholder': { color: 'var(--muted)' },
});

/**
 * @param text initial text; after that the editor owns it. A new key resets it.
 * @param changed called with the text at every edit.
 */
export function Editor({
  language,
  text,
  changed,
}: {
  readonly language: string;
  readonly text: string;
  readonly changed: (text: string) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const speech = useRef(new Compartment());
  const report = useRef(changed);
  report.current = changed;

  useEffect(() => {
    const host = place.current;
    if (host === null) return undefined;
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    const parent = document.createElement('div');
    root.append(parent);
    const state = EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        indentOnInput(),
        bracketMatching(),
        indentUnit.of('    '),
        EditorState.tabSize.of(4),
        // The form handles Ctrl+Enter.
        keymap.of([
          ...defaultKeymap.filter(({ key }) => key !== 'Mod-Enter'),
          ...historyKeymap,
          indentWithTab,
        ]),
        placeholder('Write a program, or open a file.'),
        EditorView.contentAttributes.of({
          'aria-label': 'Program',
          // An id would not be found: the editor is in a shadow root, and the hint is not.
          'aria-description': HINT,
          spellcheck: 'false',
          autocapitalize: 'off',
        }),
        speech.current.of(highlightingOf(language)),
        syntaxHighlighting(COLOURS),
        THEME,
        EditorView.updateListener.of(({ docChanged, state: after }) => {
          if (docChanged) report.current(after.doc.toString());
        }),
      ],
    });
    const made = new EditorView({ state, parent, root });
    view.current = made;
    return () => {
      made.destroy();
      parent.remove();
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: speech.current.reconfigure(highlightingOf(language)) });
  }, [language]);

  return (
    <div class="editor">
      <div class="code">
        <div ref={place} id="source" />
      </div>
      <p class="hint">{HINT}</p>
    </div>
  );
}

function highlightingOf(language: string): Extension {
  const grammar = languageOf(language)?.grammar;
  return grammar === undefined ? [] : GRAMMARS[grammar]();
}
