/** The invariants of CDS Hooks 2.0 for an answer (cds-resp-1 to 7), written from the specification and not from this service. */

/** @returns what is wrong, each with its path. */
export function cardsInvariants(answer: unknown): readonly string[] {
  const problems: string[] = [];
  const report = (path: string, what: string): void => void problems.push(`${path}: ${what}`);
  const { cards, systemActions, ...others } = answer as Record<string, unknown>;
  for (const name of Object.keys(others))
    if (name !== 'extension') report(name, 'is no member of an answer');
  if (systemActions !== undefined) report('systemActions', 'this service takes no action');
  if (!Array.isArray(cards)) return [...problems, 'cards: is no array'];
  noEmptyValues(cards, 'cards', report);
  const seen = new Set<unknown>();
  cards.forEach((card: Record<string, unknown>, i) => checkCard(card, `cards.${i}`, seen, report));
  return problems;
}

type Report = (path: string, what: string) => void;

function checkCard(
  card: Record<string, unknown>,
  at: string,
  seen: Set<unknown>,
  report: Report,
): void {
  const {
    uuid,
    summary,
    indicator,
    source,
    suggestions,
    selectionBehavior,
    links,
    overrideReasons,
  } = card;
  if (typeof uuid !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid))
    report(`${at}.uuid`, 'is no UUID');
  if (seen.has(uuid)) report(`${at}.uuid`, 'stands there twice');
  seen.add(uuid);
  if (typeof summary !== 'string' || summary.length >= 140)
    report(`${at}.summary`, 'is not shorter than 140');
  if (!['info', 'warning', 'critical'].includes(String(indicator)))
    report(`${at}.indicator`, 'is unknown');
  const { label, url } = (source ?? {}) as Record<string, unknown>;
  if (typeof label !== 'string') report(`${at}.source.label`, 'is missing');
  if (url !== undefined && !(typeof url === 'string' && URL.canParse(url)))
    report(`${at}.source.url`, 'is no URL');
  if ((suggestions === undefined) !== (selectionBehavior === undefined))
    report(at, 'suggestions and selectionBehavior go together');
  for (const link of (links ?? []) as Record<string, unknown>[]) {
    if (typeof link['label'] !== 'string' || !URL.canParse(String(link['url'])))
      report(`${at}.links`, 'needs a label and a URL');
    if (!['absolute', 'smart'].includes(String(link['type'])))
      report(`${at}.links.type`, 'is unknown');
    if (link['appContext'] !== undefined && link['type'] !== 'smart')
      report(`${at}.links.appContext`, 'is for smart links');
  }
  for (const reason of (overrideReasons ?? []) as Record<string, unknown>[]) {
    if (typeof reason['code'] !== 'string' || typeof reason['display'] !== 'string')
      report(`${at}.overrideReasons`, 'needs code and display');
  }
}

function noEmptyValues(value: unknown, at: string, report: Report): void {
  if (value === null || value === '') report(at, 'is null or empty');
  if (typeof value !== 'object' || value === null || at.includes('extension')) return;
  const members = Object.entries(value);
  if (members.length === 0 && at !== 'cards') report(at, 'is empty');
  for (const [name, member] of members) noEmptyValues(member, `${at}.${name}`, report);
}
