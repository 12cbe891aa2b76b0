import { expect, it } from 'vitest';
import { credentialIn, credentialRefusal } from './address-secrets.ts';

it.each([
  // Forms of the providers: presigned S3 (versions 4 and 2), Google (4 and 2), Azure SAS, CloudFront.
  'https://b.example/a.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=s3cr3t',
  'https://b.example/a.csv?AWSAccessKeyId=AKIA&Expires=1&Signature=s3cr3t',
  'https://b.example/a.csv?x-goog-signature=s3cr3t',
  'https://b.example/a.csv?GoogleAccessId=me&Expires=1&Signature=s3cr3t',
  'https://b.example/a.csv?sv=2024-11-04&se=2027&sp=r&sig=s3cr3t',
  'https://b.example/a.csv?Policy=p&Signature=s3cr3t&Key-Pair-Id=k',
  'https://b.example/a.csv?access_token=s3cr3t',
  'https://b.example/a.csv?accessToken=s3cr3t',
  'https://b.example/a.csv?to%6ben=s3cr3t',
  'https://b.example/a.csv?apikey=s3cr3t',
  'https://b.example/a.csv?api_key=s3cr3t',
  'https://b.example/a.csv?client-secret=s3cr3t',
  'https://b.example/a.csv?userPassword=s3cr3t',
  'https://b.example/a.csv#token=s3cr3t',
  'https://me:s3cr3t@b.example/a.csv',
  'https://s3cr3t@b.example/a.csv',
  's3://AKIA:s3cr3t@logs/*.csv',
  's3://logs/*.csv?endpoint=http://me:s3cr3t@minio:9000',
])('finds the credential of %s, and shows no value', (address) => {
  expect(credentialIn(address)).toBeDefined();
  expect(credentialRefusal(address)).toContain('--token-env');
  expect(credentialRefusal(address)).not.toContain('s3cr3t');
});

it.each([
  'https://b.example/a.csv?download=1&versionId=3&author=x&keyword=y&design=z&code=DE',
  'https://b.example/token/key.csv',
  's3://logs/year=*/*.parquet?endpoint=http://minio:9000&region=eu',
  'gs://logs/{a,b}/*.csv',
  'not an address',
])('finds none in %s', (address) => {
  expect(credentialIn(address)).toBeUndefined();
  expect(credentialRefusal(address)).toBeUndefined();
});
