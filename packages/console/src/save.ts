/** Lets a person keep a file, as a download of the browser. */
export function saveAs(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has opened the URL by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
