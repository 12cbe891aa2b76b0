/** The number of a version, or undefined: "01" and "1e0" are not the version "1". */
export function versionNumber(version: string): number | undefined {
  return /^[1-9][0-9]{0,14}$/.test(version) ? Number(version) : undefined;
}
