/** Commands of the pages that are not run here, with the reason. A shell reads each of them without running it. */
import { requireComponent, type Component } from '../components.ts';

export interface Exception {
  readonly page: RegExp;
  readonly command: RegExp;
  readonly reason: string;
  /** The command is run where the machine has this. */
  readonly unless?: Component;
  /** A command that does part of it here, in its place: its failure is one of the page. */
  readonly instead?: (command: string) => string;
  readonly needs?: Component;
}

const CONTAINERS = /guide\/containers/;
const KUBERNETES = /guide\/kubernetes/;
const SERVING = /guide\/serving/;
const LOCAL = /guide\/local-language/;
const LANGUAGE = /guide\/language-models/;
const OPERATING = /guide\/operating/;

export const NOT_REPRODUCED: readonly Exception[] = [
  {
    page: /guide\/(google-cloud|kubernetes)/,
    command: /^helm |&& helm /,
    reason: 'needs a cluster; Helm renders it here',
    needs: 'helm',
    instead: rendered,
  },
  {
    page: /guide\/(google-cloud|kubernetes)/,
    command: /^kubectl (apply -k|create namespace)/,
    reason: 'needs a cluster; kubectl renders it here',
    needs: 'kubectl',
    instead: rendered,
  },
  { page: /guide\/google-cloud/, command: /./, reason: 'needs Google Cloud' },
  { page: KUBERNETES, command: /^npm install /, reason: 'downloads packages' },
  { page: KUBERNETES, command: /^docker|build\.sh/, reason: 'needs a registry of images' },
  { page: KUBERNETES, command: /^(?!cp )/, reason: 'needs a cluster' },
  { page: CONTAINERS, command: /install\.mjs/, reason: 'would install into this checkout' },
  { page: CONTAINERS, command: /--engine podman/, reason: 'builds the same image with podman' },
  { page: CONTAINERS, command: /^docker (tag|push)/, reason: 'needs a registry of images' },
  {
    page: CONTAINERS,
    command: /deploy\/compose|skein fleet ls|sed -n/,
    reason: 'needs images of a registry',
  },
  { page: CONTAINERS, command: /try-fleet/, reason: 'podman.test.ts runs it' },
  {
    page: CONTAINERS,
    command: /docker |build\.sh/,
    reason: 'needs Docker',
    unless: 'docker',
  },
  {
    page: LANGUAGE,
    command: /^GEMINI_API_KEY|provider put (google|vertex)|google=|^curl [^-]/,
    reason: 'needs the Internet and an account; language-guide.test.ts runs it with a stand-in',
  },
  { page: /^README/, command: /^npm test$/, reason: 'runs these tests' },
  { page: SERVING, command: / deploy hf:/, reason: 'needs the Internet' },
  {
    page: SERVING,
    command: /tuned\.safetensors|flower|buyers/,
    reason: 'needs files of PyTorch and scikit-learn; readme.test.ts runs it with such files',
  },
  { page: SERVING, command: / up --isolate-models/, reason: 'a second node on the data folder' },
  { page: SERVING, command: / bench risk/, reason: 'takes a minute' },
  {
    page: OPERATING,
    command: /deploy\/container\/build\.sh/,
    reason: 'builds an image for minutes, as root',
  },
  { page: LOCAL, command: /^NODE_LLAMA/, reason: 'downloads packages' },
  { page: OPERATING, command: /^docker /, reason: 'needs Docker and the image' },
  {
    page: OPERATING,
    command: /dist\/tarballs/,
    reason: 'needs the packed packages; npm run front-door runs it',
  },
  {
    page: OPERATING,
    command: /--example ocr +#|^npm (install --global|create) /,
    reason: 'needs the published packages; npm run front-door publishes them on loopback',
  },
];

/** Helm and kubectl print what they would send to a cluster. Commands of a page may be in another folder. */
function rendered(command: string): string {
  return command
    .replace(/^.*&& (?=helm )/, '')
    .replace(/\.\.\/helm/, 'deploy/helm')
    .replace(/^helm (?:install|upgrade --install)/, 'helm template')
    .replace(/^kubectl apply -k/, 'kubectl kustomize')
    .replace(/^kubectl create.*/, '$& --dry-run=client');
}

export function exceptionFor(page: string, command: string): Exception | undefined {
  return NOT_REPRODUCED.find(
    (each) => each.page.test(page) && each.command.test(command) && !isRun(each),
  );
}

export const isRun = ({ unless }: Exception): boolean =>
  unless !== undefined && !requireComponent(unless).skip;
