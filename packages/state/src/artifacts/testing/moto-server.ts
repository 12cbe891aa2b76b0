/** An S3 server on loopback that this project did not write: Debian's python3-moto. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface MotoServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** Creates a bucket of this name. @returns its `s3://…` URL. */
  bucket(name: string): Promise<string>;
}

/** The server accepts any credentials; the client requires some. */
export const MOTO_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
};

/** For requests without the client: moto reads the region of a signature and does not check it. */
export const MOTO_HEADERS = {
  authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4',
};

export async function startMotoServer(): Promise<MotoServer> {
  const server = spawn('/usr/bin/python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = new Promise<void>((done) => {
    server.once('exit', () => done());
  });
  const killed = (): void => {
    server.kill('SIGKILL');
  };
  process.once('exit', killed);
  let output = '';
  const endpoint = await new Promise<string>((resolve, reject) => {
    createInterface(server.stderr).on('line', (line) => {
      output += `${line}\n`;
      const address = /Running on (http:\/\/\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
    server.once('exit', () => reject(new Error(`moto did not start:\n${output}`)));
  });
  return {
    endpoint,
    async bucket(name) {
      const made = await fetch(`${endpoint}/${name}`, {
        method: 'PUT',
        headers: MOTO_HEADERS,
      });
      if (!made.ok) throw new Error(`moto made no bucket: ${await made.text()}`);
      return `s3://${name}/jobs/artifacts?endpoint=${endpoint}`;
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', killed);
      server.kill('SIGKILL');
      await gone;
    },
  };
}
