/** Pictures in a browser: decoded, turned upright, resized by its canvas. */
import type { Raster, Resize } from '../../ocr/raster.ts';

/** Pixels of a phone's camera. A larger picture takes more memory and shows no more text. */
const MOST_PIXELS = 24_000_000;

/** @throws Error if the browser cannot decode the file. */
export async function rasterOf(file: Blob | HTMLVideoElement): Promise<Raster> {
  const image =
    file instanceof Blob
      ? await createImageBitmap(file, { imageOrientation: 'from-image' })
      : await createImageBitmap(file);
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (image.width * image.height)));
  const [width, height] = [image.width, image.height].map((side) =>
    Math.max(1, Math.round(side * shrink)),
  ) as [number, number];
  const raster = draw(image, width, height);
  image.close();
  return raster;
}

export const resize: Resize = async (raster, width, height) => {
  if (width === raster.width && height === raster.height) return raster;
  const image = await createImageBitmap(imageDataOf(raster));
  const resized = draw(image, width, height);
  image.close();
  return resized;
};

export function imageDataOf({ width, height, pixels }: Raster): ImageData {
  const data = new ImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    data.data[to] = pixels[from]!;
    data.data[to + 1] = pixels[from + 1]!;
    data.data[to + 2] = pixels[from + 2]!;
    data.data[to + 3] = 255;
  }
  return data;
}

/** Transparent parts become white. */
function draw(image: ImageBitmap, width: number, height: number): Raster {
  const context = new OffscreenCanvas(width, height).getContext('2d', {
    willReadFrequently: true,
  })!;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    pixels[to] = data[from]!;
    pixels[to + 1] = data[from + 1]!;
    pixels[to + 2] = data[from + 2]!;
  }
  return { width, height, pixels };
}
