/** Turns uploaded bytes or a composition module into an immutable, checked version. */
import type { VersionRecord } from '@skein/state';

export interface Registry {
  /**
   * Stores an ONNX file, validates it and records it as the next version of `model`. The same bytes
   * return the existing version.
   * @throws SkeinError MODEL_FILE_INVALID, MODEL_UNSUPPORTED, MODEL_EXTERNAL_DATA, BODY_TOO_LARGE,
   *   STORAGE_FULL.
   */
  importModel(
    model: string,
    content: AsyncIterable<Uint8Array>,
    metadata: Record<string, string>,
  ): Promise<VersionRecord>;
  /**
   * Bundles a composition module of this machine with everything that it imports, stores the bundle
   * and records it as the next version of `model`. The same bundle returns the existing version.
   * @throws SkeinError COMPOSITION_INVALID, FILE_UNREADABLE, STORAGE_FULL.
   */
  importComposition(
    model: string,
    modulePath: string,
    metadata: Record<string, string>,
  ): Promise<VersionRecord>;
  /** @throws SkeinError VERSION_UNKNOWN, MODEL_UNKNOWN. */
  version(model: string, version: string): Promise<VersionRecord>;
  versions(model?: string): Promise<VersionRecord[]>;
  /** A verified local path of the version's artifact. @throws SkeinError ARTIFACT_CORRUPT. */
  pathOf(version: VersionRecord): Promise<string>;
  /** @throws SkeinError VERSION_UNKNOWN, VERSION_IN_USE. */
  removeVersion(model: string, version: string): Promise<void>;
}
