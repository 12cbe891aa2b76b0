/**
 * Generates the `.gen.ts` files beside the `.proto` files. Needs `protoc` (Debian:
 * protobuf-compiler); run it after a change of a .proto file.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the transport itself, and of each face. */
const FOLDERS = ['.', '../../oip/grpc/proto'].map((folder) => join(import.meta.dirname, folder));
const options = ['target=ts', 'erasable_syntax=true', 'import_extension=ts'];

for (const folder of FOLDERS) {
  const protos = readdirSync(folder).filter((file) => file.endsWith('.proto'));
  execFileSync('protoc', [`--es_out=${folder}`, `--es_opt=${options.join(',')}`, ...protos], {
    cwd: folder,
    stdio: 'inherit',
  });
  for (const file of protos) {
    const name = join(folder, file.replace(/\.proto$/, ''));
    // A file that imports another one names it as the plugin does.
    const code = readFileSync(`${name}_pb.ts`, 'utf8').replaceAll('_pb.ts"', '.gen.ts"');
    writeFileSync(`${name}.gen.ts`, code);
    rmSync(`${name}_pb.ts`);
  }
}
