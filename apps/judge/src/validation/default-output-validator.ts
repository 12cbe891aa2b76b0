/** The default validator behind the contract of output validators; it runs in the judge itself. */
import { compareOutput, parseFlags } from './default-validator.ts';
import type { OutputValidator } from './validator.ts';

export const defaultOutputValidator: OutputValidator = {
  async begin(test, answer) {
    const flags = parseFlags(test.outputValidatorArgs);
    const needsOwn = async (): Promise<never> => {
      throw new Error('interaction needs a validator of the package');
    };
    return {
      async check(_input, output) {
        const result = compareOutput(output, answer, flags);
        return result.accepted ? result : { accepted: false, judgeMessage: result.message };
      },
      interact: needsOwn,
      conclude: needsOwn,
    };
  },
  close: async () => undefined,
};
