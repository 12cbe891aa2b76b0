/**
 * Generates the `.gen.ts` files next to the `.proto` files. Needs `protoc` (Debian:
 * protobuf-compiler); run it after a change of a .proto file.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of the transport itself, and of each face. */
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
    writeFileSync(`${name}.gen.ts`, withoutOrigins(code));
    rmSync(`${name}_pb.ts`);
  }
}

/**
 * Leaves out the plugin's comment on each message and field that the line below repeats: its place in
 * the .proto file. The comments of that file stay.
 */
function withoutOrigins(code: string): string {
  return code
    .replaceAll(/^ *\* (@generated from |Describes the |Use `create\().*\n/gm, '')
    .replaceAll(/^ *\/\*\*\n(?: *\*\n)* *\*\/\n/gm, '')
    .replaceAll(/(?: *\*\n)+( *\*\/)/g, '$1')
    .replaceAll(/\n\n(?= )/g, '\n');
}
