/**
 * Runs `src/main` next to the folder of a launcher, on a Node that can: this one, or the project's own.
 * @param bin the launcher's `import.meta.url`.
 */
export function launch(bin: string): Promise<void>;
