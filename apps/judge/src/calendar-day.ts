/** Whether a text that begins with YYYY-MM-DD names a day that there is: Date takes the 30th of February for one of March. */
export function isCalendarDay(text: string): boolean {
  const day = text.slice(0, 10);
  const read = new Date(day);
  return !Number.isNaN(read.getTime()) && read.toISOString().startsWith(day);
}
