#!/usr/bin/env node
import { launch } from '@skein/cli/launch';

await launch(import.meta.url);
