/** Loaded with the first language model: a node without one pays nothing for them. */
import { type Gateway, type GatewayOptions, openGateway } from '@skein/generative';

export const openLanguageGateway = (options: GatewayOptions): Promise<Gateway> =>
  openGateway(options);
