/** The script that describes an estimator, and the modules that it imports: files of this package. */
const at = (name: string): URL => new URL(`./python/${name}`, import.meta.url);

export const SKLEARN_SCRIPT = {
  main: at('script.py'),
  modules: ['estimators.py', 'refusal.py', 'rows.py', 'transformers.py'].map((name) => ({
    name,
    url: at(name),
  })),
} as const;
