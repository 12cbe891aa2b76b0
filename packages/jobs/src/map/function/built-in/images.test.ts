import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../../scripts/testing/folder.ts';
import { images } from './images.ts';

it('decodes images of several formats, and gives the centre in the wanted size', async () => {
  const folder = testFolder();
  // Three squares side by side; the centre is green.
  const colours = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ] as const;
  const pixels = Buffer.from(
    Array.from({ length: 40 * 120 }, (_, at) => colours[Math.floor((at % 120) / 40)]!).flat(),
  );
  const image = () => sharp(pixels, { raw: { width: 120, height: 40, channels: 3 } });
  await image().png().toFile(join(folder, 'a.png'));
  await image().jpeg({ quality: 100 }).toFile(join(folder, 'b.jpg'));
  const columns = { path: ['a.png', null, 'b.jpg'], label: [1, 2, 3] };
  const found = (await images(columns, { folder, width: '20', height: '10' })) as {
    image: (string | null)[];
  };
  expect(found).toMatchObject(columns);
  const [first, none, last] = found.image;
  expect(none).toBeNull();
  for (const text of [first, last]) {
    const { data, info } = await sharp(Buffer.from(text ?? '', 'base64'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 20, height: 10, channels: 3 });
    const [red, green, blue] = data.subarray((5 * 20 + 10) * 3);
    expect(green).toBeGreaterThan(240);
    expect(Math.max(red!, blue!)).toBeLessThan(16);
  }
  writeFileSync(join(folder, 'c.png'), 'no image');
  await expect(images({ path: ['c.png'] }, { folder })).rejects.toThrow(
    '"c.png" cannot be decoded as an image',
  );
});
