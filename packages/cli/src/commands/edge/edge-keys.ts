/** `skein edge keys`, `skein edge renew`: the keys of a publisher, and how long its signatures count. */
import { SkeinError } from '@skein/api/errors';
import {
  createRoot,
  EXPIRES_DAYS,
  hasRoot,
  lastRoot,
  publish,
  publishedTargets,
  ROLES,
  rotateRoot,
} from '@skein/edge/publish';
import { defineCommand } from '../../command-line/command.ts';
import { choice } from '../../command-line/option.ts';
import { keysOption, outOption } from '../../edge/options.ts';
import { openPlace } from '../../edge/places.ts';
import { createRoleKeys, nextKey, readRoleKeys } from '../../edge/role-keys.ts';
import { renderFields } from '../../output/table.ts';
import { writeGivenFile } from '../../file.ts';

export const edgeKeys = defineCommand({
  name: 'edge keys',
  summary: 'Make the keys of a publisher of bundles, or replace one.',
  details:
    'Makes a key for each role of TUF, and publishes the first root, which names them. Build root.json of the folder of keys into your application: devices trust it, and each later root that is signed by the one before. Keep root.pem offline; only --rotate needs it. --rotate replaces a key that may be stolen. Devices then accept nothing that the old one has signed.',
  examples: {
    'skein edge keys --keys edge-keys --out published': 'New keys, and a place for bundles',
    'skein edge keys --rotate timestamp': 'Replace a key',
  },
  arguments: {},
  options: {
    keys: keysOption,
    out: outOption,
    rotate: choice(ROLES, 'Replace the key of this role.'),
  },
  async run(context, { keys: folder, out, rotate }) {
    const place = await openPlace(context, out);
    const now = Date.now();
    const { cwd } = context;
    if (rotate === undefined) {
      if (await hasRoot(place)) {
        throw new SkeinError(
          'EDGE_KEYS',
          `${out} has a root already, with the keys of a publisher.`,
        );
      }
      const keys = await createRoleKeys(cwd, folder);
      const root = await createRoot(place, keys, now);
      await publish(place, { keys, now });
      return {
        folder,
        out,
        version: 1,
        root: await writeGivenFile(cwd, `${folder}/root.json`, root),
      };
    }
    const before = await readRoleKeys(cwd, folder);
    const { key, finish } = await nextKey(cwd, folder, rotate);
    const after = { ...before, [rotate]: [key] };
    await rotateRoot(place, { before, after, now });
    await finish();
    await publish(place, { keys: after, now });
    const { signed, bytes } = await lastRoot(place);
    const root = await writeGivenFile(cwd, `${folder}/root.json`, bytes);
    return { folder, out, version: signed.version, root, rotated: rotate };
  },
  render: ({ folder, out, version, root, rotated }, style) =>
    [
      rotated === undefined
        ? `${style.green('✓')} ${folder} has a new key for each of ${ROLES.join(', ')}`
        : `${style.green('✓')} ${folder} has a new key for ${rotated}`,
      renderFields(style, [
        ['root', `version ${version}, ${root}`],
        ['published', out],
      ]),
    ].join('\n'),
});

export const edgeRenew = defineCommand({
  name: 'edge renew',
  summary: 'Sign new dates for published bundles, so that devices keep accepting updates.',
  details: `A snapshot and a timestamp expire after ${EXPIRES_DAYS.timestamp} days, and targets after ${EXPIRES_DAYS.targets}. Run this at least every two weeks, such as by a schedule. A device that meets an expired file keeps and runs what it has. root.pem is not needed.`,
  examples: { 'skein edge renew --keys edge-keys --out s3://models/edge': 'Sign new dates' },
  arguments: {},
  options: { keys: keysOption, out: outOption },
  async run(context, { keys: folder, out }) {
    const place = await openPlace(context, out);
    const keys = await readRoleKeys(context.cwd, folder, ['targets', 'snapshot', 'timestamp']);
    await publish(place, { keys, now: Date.now() });
    const targets = await publishedTargets(place);
    if (targets === undefined)
      throw new SkeinError('EDGE_UNTRUSTED', `${out} has no targets.json.`);
    const bundles = Object.keys(targets.targets).map((path) => path.replace(/\.json$/, ''));
    return { out, version: targets.version, bundles };
  },
  render: ({ out, bundles }, style) =>
    `${style.green('✓')} ${out} is signed anew: ${bundles.length === 0 ? 'no bundle' : bundles.join(', ')}`,
});
