/** Mistakes of a JavaScript program: each has a code, and none closes a route. */
import type { LanguageSettings } from '@skein/api';
import { expect, it } from 'vitest';
import type { Caller, GenerateRequest } from './contract.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { openGateway } from './gateway.ts';
import { callerOf, requestOf } from './testing/calls.ts';
import { model, open, puppet } from './testing/puppet.ts';

const invalid = (message: string) =>
  expect.objectContaining({ code: 'REQUEST_INVALID', message: expect.stringContaining(message) });

it.each([
  [undefined, 'options'],
  [{}, 'settings'],
  [{ settings: { models: 'x' } }, 'models'],
  [{ settings: {}, provider: [] }, 'has no field "provider"; known are settings'],
])('opens nothing with the options %j', async (options, message) => {
  await expect(openGateway(options as unknown as GatewayOptions)).rejects.toEqual(invalid(message));
});

it('takes settings with the defaults left out', async () => {
  const { provider } = puppet('p');
  const settings = { models: [model('m', 'p')] } as unknown as LanguageSettings;
  const gateway = await openGateway({ settings, providers: [provider] });
  expect(gateway.models('t')).toMatchObject([{ name: 'm' }]);
  await gateway.close();
});

it('refuses requests and callers of another shape, and sends none of them', async () => {
  const { provider, state } = puppet('p');
  const gateway = await open({ models: [model('m', 'p')] }, { providers: [provider] });
  const message = { role: 'user', content: [{ type: 'text', text: 'hi' }] };
  const requests: [unknown, string][] = [
    [undefined, 'request'],
    [requestOf(5 as unknown as string), 'model'],
    [{ model: 'm' }, 'messages'],
    [{ model: 'm', messages: [null] }, 'message'],
    [{ model: 'm', messages: [{ ...message, content: 'hi' }] }, 'content'],
    [{ model: 'm', messages: [{ ...message, role: 'x' }] }, 'role'],
  ];
  for (const [request, message] of requests) {
    const given = request as GenerateRequest;
    await expect(gateway.generate(given, callerOf())).rejects.toEqual(invalid(message));
    await expect(gateway.countTokens(given, callerOf())).rejects.toEqual(invalid(message));
  }
  const callers: [unknown, string][] = [
    [undefined, 'caller'],
    [{ ...callerOf(), tenant: undefined }, 'tenant'],
    [{ ...callerOf(), arrivedAt: undefined }, 'arrivedAt'],
    [{ ...callerOf(), deadline: Number.NaN }, 'deadline'],
    [{ ...callerOf(), signal: undefined }, 'signal'],
  ];
  for (const [caller, message] of callers) {
    const given = caller as Caller;
    await expect(gateway.generate(requestOf('m'), given)).rejects.toEqual(invalid(message));
    const inputs = { model: 'm', inputs: ['x'] };
    await expect(gateway.embed(inputs, given)).rejects.toEqual(invalid(message));
  }
  const noList = { model: 'm', inputs: 'x' as unknown as string[] };
  await expect(gateway.embed(noList, callerOf())).rejects.toEqual(invalid('inputs'));
  expect(state.calls).toBe(0);
  expect(gateway.standing()[0]?.routes[0]?.failures).toBe(0);
});
