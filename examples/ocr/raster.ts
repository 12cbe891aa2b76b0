/** A picture in memory. This file and all that imports no more than it run in a page too. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], RGB. */
  readonly pixels: Uint8Array;
}

/** The same picture at another size, filtered so that fine strokes do not alias. */
export type Resize = (raster: Raster, width: number, height: number) => Promise<Raster>;
