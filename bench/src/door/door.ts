/** Measures the first command, the container image, and models of other programs, converted and served. */
import { debianVersion } from '../harness/machine.ts';
import type { BenchReport } from '../harness/report.ts';
import { measureGroups, type RowOptions } from '../harness/row-group.ts';
import { conversions } from './conversions.ts';
import { guides } from './guides.ts';
import { image } from './image.ts';
import { installation } from './installation.ts';
import { trees } from './trees.ts';

export function benchDoor(options: RowOptions): Promise<BenchReport> {
  const peer = `XGBoost ${debianVersion('python3-xgboost')}, FastAPI ${debianVersion('python3-fastapi')}, uvicorn ${debianVersion('python3-uvicorn')}`;
  return measureGroups(
    { name: 'door', peer, groups: [conversions, trees, guides, installation, image] },
    options,
  );
}
