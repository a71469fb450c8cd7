import { describe, expect, it } from '@jest/globals';
import { icl, sdl } from '../test/manifests.ts';
import { faultsOf, only } from '../test/reading.ts';
import { parseManifest } from './index.ts';

const gpu = (list: string, units = '1'): string =>
  `cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}\ngpu:\n  units: ${units}\n  attributes:\n    vendor:\n      ${list}`;

describe('GPU requests', () => {
  const models = (list: string) => only(sdl({ resources: gpu(list) })).resources.gpu!.models;

  it.each([
    ['nvidia:', []],
    ['nvidia: []', []],
    ['nvidia: [{model: "*"}]', []],
    ['nvidia: [{model: RTX_4090}]', [{ model: 'rtx4090', vramMiB: null, interface: null, migProfile: null }]],
    ['nvidia: [{model: a100-80g}]', [{ model: 'a100', vramMiB: 81_920, interface: null, migProfile: null }]],
    [
      'nvidia: [{model: h100, interface: SXM5}]',
      [{ model: 'h100', vramMiB: null, interface: 'sxm', migProfile: null }],
    ],
    [
      'nvidia: [{model: h100, interface: pcie, ram: 90Gi}]',
      [{ model: 'h100', vramMiB: 96_256, interface: 'pcie', migProfile: null }],
    ],
    ['amd: [{model: mi300x}]', [{ model: 'mi300x', vramMiB: null, interface: null, migProfile: null }]],
  ])('%s', (list, expected) => expect(models(list)).toEqual(expected));

  it('for any model with so much memory become the list of those', () => {
    const found = models('nvidia: [{ram: 141Gi}]').map(({ model }) => model);
    expect(found).toContain('h200');
    expect(found).not.toContain('h100');
  });

  it('for more memory than was ever sold are kept, and said', () => {
    const { spec, warnings } = parseManifest(
      sdl({ resources: gpu('nvidia: [{model: rtx4090, ram: 90Gi}]') }),
    );
    expect(spec.groups[0]!.services[0]!.resources.gpu!.models[0]!.vramMiB).toBe(92_160);
    expect(warnings.map(({ code }) => code)).toContain('no_such_vram');
  });

  it.each([
    ['nvidia: [{model: rtx409}]', 'did you mean `rtx4090`'],
    ['nvida:', 'did you mean `nvidia`'],
    ['nvidia: [{model: h100, interface: usb}]', '`pcie` or `sxm`'],
    ['nvidia: [{model: h100, ram: lots}]', 'GPU memory'],
    ['nvidia: [{model: mi300x}]', 'unknown nvidia GPU'],
    ['nvidia: [h100]', 'a map with `model`'],
    ['nvidia: [{model: a100-80g, ram: 40Gi}]', 'the model name says 80Gi'],
  ])('%s is refused', (list, message) =>
    expect(faultsOf(sdl({ resources: gpu(list) }))[0]!.message).toContain(message),
  );
});

describe('parts of GPUs', () => {
  const request = (units: string, list: string) => only(sdl({ resources: gpu(list, units) })).resources.gpu!;
  const anyA100 = { model: 'a100', vramMiB: null, interface: null };

  it.each([
    ['0.25', 'nvidia: [{model: rtx4090}]', 1, { mode: 'shared', milli: 250 }],
    ['250m', 'nvidia: [{model: rtx4090-shared}]', 1, { mode: 'shared', milli: 250 }],
    ['0.001', 'nvidia:', 1, { mode: 'shared', milli: 1 }],
    ['999m', 'nvidia: [{model: "*"}, {model: l4-shared}]', 1, { mode: 'shared', milli: 999 }],
    ['1', 'nvidia: [{model: rtx4090}]', 1, { mode: 'whole' }],
    ['1000m', 'nvidia: [{model: rtx4090}]', 1, { mode: 'whole' }],
    ['2.0', 'nvidia: [{model: rtx4090}]', 2, { mode: 'whole' }],
    ['3', 'nvidia: [{model: rtx4090-shared}, {model: l4-shared}]', 3, { mode: 'shared', milli: 1 }],
    ['2', 'nvidia: [{model: a100-mig-1g.10gb}]', 2, { mode: 'mig' }],
  ])('units %s of %s', (units, list, count, sharing) =>
    expect(request(units, list)).toMatchObject({ count, sharing }),
  );

  it('keep the profile of each model, and the memory and interface of the GPU', () => {
    expect(
      request('1', 'nvidia: [{model: a100-80g-mig-2g.20gb, interface: pcie}, {model: a30-mig-1g.6gb}]')
        .models,
    ).toEqual([
      { model: 'a100', vramMiB: 81_920, interface: 'pcie', migProfile: '2g.20gb' },
      { model: 'a30', vramMiB: null, interface: null, migProfile: '1g.6gb' },
    ]);
    expect(request('1', 'nvidia: [{model: NVIDIA-A100-SXM4-80GB-MIG-1g.10gb}]').models).toEqual([
      { model: 'a100', vramMiB: 81_920, interface: 'sxm', migProfile: '1g.10gb' },
    ]);
    expect(request('1', 'nvidia: [{model: a100-mig-1g.10gb, ram: 80Gi}]').models).toEqual([
      { ...anyA100, vramMiB: 81_920, migProfile: '1g.10gb' },
    ]);
    expect(request('0.5', 'nvidia: [{model: a100}]').models).toEqual([{ ...anyA100, migProfile: null }]);
  });

  it.each([
    ['1.5', 'nvidia:', 'whole number of them, found `1.5`', 'units'],
    ['1500m', 'nvidia:', 'whole number of them', 'units'],
    ['0.0005', 'nvidia:', 'a part of one like 0.25', 'units'],
    ['-0.5', 'nvidia:', 'a number of GPUs', 'units'],
    ['half', 'nvidia:', 'a number of GPUs', 'units'],
    ['0.5', 'nvidia: [{model: a100-mig-1g.10gb}]', 'exclude each other', 'model'],
    ['1', 'nvidia: [{model: a100}, {model: a100-shared}]', 'whole GPUs and shared GPUs', 'model'],
    ['1', 'nvidia: [{model: a100-mig-1g.10gb}, {model: a100}]', 'MIG slices (`-mig-…`) and whole', 'model'],
    ['1', 'nvidia: [{model: l4-shared}, {model: "*"}]', 'shared GPUs (`-shared`) and whole', ''],
    ['1', 'nvidia: [{model: a100-mig-1g.12gb}]', 'did you mean `1g.10gb`', 'model'],
    ['1', 'nvidia: [{model: a100-80g-mig-1g.5gb}]', 'known: 1g.10gb, 1g.10gb+me', 'model'],
    ['1', 'nvidia: [{model: rtx4090-mig-1g.6gb}]', 'cannot be divided by MIG', 'model'],
    ['1', 'nvidia: [{model: a100-mig-9g.10gb}]', 'no MIG profile `9g.10gb`', 'model'],
    ['1', 'nvidia: [{model: a100-mig-1g.10gb, ram: 10Gi}]', 'that of the whole NVIDIA A100', 'ram'],
    ['0.5', 'amd: [{model: mi300x}]', 'only sold whole', 'units'],
    ['1', 'amd: [{model: mi300x-shared}]', 'only sold whole', 'model'],
  ])('units %s of %s are refused where they are written', (units, list, message, field) => {
    const [fault] = faultsOf(sdl({ resources: gpu(list, units) }));
    expect(fault!.message).toContain(message);
    // The GPU part of this small manifest begins there.
    expect(fault!.line).toBeGreaterThanOrEqual(14);
    expect(fault!.column).toBeGreaterThan(10);
    expect(fault!.pointer).toContain(field);
  });
});

describe('services', () => {
  const service = (yaml: string) => parseManifest(sdl({ service: yaml }));

  it('keep names of environment variables and hide every value', () => {
    const { spec, secrets } = service('env:\n  - A=1=2\n  - B=\n  - C\n  - D=planted-secret');
    expect(spec.groups[0]!.services[0]!.envNames).toEqual(['A', 'B', 'C', 'D']);
    expect(secrets!.services['web']!.env).toEqual({ A: '1=2', B: '', C: '', D: 'planted-secret' });
    expect(
      JSON.stringify(spec, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
    ).not.toContain('planted');
  });

  it('keep a name like __proto__ as the name it is', () => {
    const { spec, secrets } = service('env: ["__proto__=x", "constructor=y"]');
    expect(spec.groups[0]!.services[0]!.envNames).toEqual(['__proto__', 'constructor']);
    expect(Object.entries(secrets!.services['web']!.env)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('never show a value in a fault', () => {
    const faults = faultsOf(
      sdl({ service: 'env:\n  - "bad name\\u0007=planted-secret"\n  - {X: planted-secret}' }),
    );
    expect(faults).toHaveLength(2);
    expect(JSON.stringify(faults)).not.toContain('planted');
  });

  it('keep registry credentials with the secrets', () => {
    const { spec, secrets } = service('credentials: {host: ghcr.io, username: me, password: planted}');
    expect(spec.groups[0]!.services[0]!.privateImage).toBe(true);
    expect(secrets!.services['web']!.imageCredentials).toEqual({
      server: 'ghcr.io',
      username: 'me',
      password: 'planted',
    });
  });

  it('take command and args as a list or as a command line', () => {
    expect(service('command: ["sh", "-c", 15]\nargs: "a \'b c\'"').spec.groups[0]!.services[0]).toMatchObject(
      {
        command: ['sh', '-c', '15'],
        args: ['a', 'b c'],
      },
    );
  });

  it('expose the public port 80 over HTTP, and others as they are', () => {
    const ports = service(
      'expose:\n' +
        '  - {port: 3000, as: 80, to: [{global: true}], accept: [a.example, "*.b.example"]}\n' +
        '  - {port: 53, proto: UDP, to: [{global: true}]}\n' +
        '  - {port: 5432, to: [{service: web}]}\n' +
        '  - {port: 5432, to: [{global: true}]}',
    ).spec.groups[0]!.services[0]!.ports;
    expect(ports).toEqual([
      {
        containerPort: 3000,
        servicePort: 80,
        protocol: 'http',
        global: true,
        services: [],
        hosts: ['a.example', '*.b.example'],
      },
      { containerPort: 53, servicePort: 53, protocol: 'udp', global: true, services: [], hosts: [] },
      { containerPort: 5432, servicePort: 5432, protocol: 'tcp', global: true, services: ['web'], hosts: [] },
    ]);
  });

  it('ask the provider for confidential computing, and never drop it', () => {
    expect(service('params: {tee: cpu-gpu}').spec.groups[0]!.attributes).toEqual({ tee: 'cpu-gpu' });
  });

  it('read a range of ports', () => {
    const text = icl().replace('- port: 80\n', '- port_range: 8443-8445\n        port_range_as: 9443-9445\n');
    expect(only(text).ports.map((port) => [port.containerPort, port.servicePort])).toEqual([
      [8443, 9443],
      [8444, 9444],
      [8445, 9445],
    ]);
  });

  it.each([
    ['imagee: x', '/services/web/imagee', 'did you mean `image`'],
    ['expose: [{port: 0}]', '/services/web/expose/0/port', 'a port'],
    ['expose: [{port: 70000, to: [{global: true}]}]', '/services/web/expose/0/port', 'from 1 to 65535'],
    [
      'expose: [{port: 80, to: [{globl: true}]}]',
      '/services/web/expose/0/to/0/globl',
      'did you mean `global`',
    ],
    [
      'expose: [{port: 80, to: [{global: maybe}]}]',
      '/services/web/expose/0/to/0/global',
      '`true` or `false`',
    ],
    [
      'expose: [{port: 80, proto: sctp, to: [{global: true}]}]',
      '/services/web/expose/0/proto',
      'tcp, udp or http',
    ],
    [
      'expose: [{port: 80, accept: ["a b"], to: [{global: true}]}]',
      '/services/web/expose/0/accept',
      'host name',
    ],
    ['expose: [{port: 80, to: [{global: true, ip: mine}]}]', '/services/web/expose/0/to/0/ip', 'no endpoint'],
    [
      'params: {storage: {data: {mount: relative}}}',
      '/services/web/params/storage/data/mount',
      'absolute path',
    ],
    ['params: {storage: {data: {mount: /x}}}', '/services/web/params/storage/data', 'has no volume'],
    ['command: "sh -c \'open"', '/services/web/command', 'quote is not closed'],
    ['env: {A: b}', '/services/web/env', '`KEY=VALUE`'],
  ])('with %s are refused', (yaml, pointer, message) => {
    const faults = faultsOf(sdl({ service: yaml }));
    expect(faults.map((fault) => fault.pointer)).toContain(pointer);
    expect(faults.map((fault) => fault.message).join()).toContain(message);
    for (const fault of faults) expect([fault.line! > 0, fault.column! > 0]).toEqual([true, true]);
  });
});

describe('resources', () => {
  const asked = (yaml: string) => sdl({ resources: yaml });
  it.each([
    ['cpu: {units: 2000}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}', 'cpu/units'],
    ['cpu: {units: -1}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}', 'cpu/units'],
    ['cpu: {units: 0}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}', 'cpu/units'],
    ['cpu: {units: 1}\nmemory: {size: 1Ei}\nstorage: {size: 1Gi}', 'memory/size'],
    ['cpu: {units: 1}\nmemory: {size: 0}\nstorage: {size: 1Gi}', 'memory/size'],
    ['cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: {size: 9000Ti}', 'storage/size'],
    [`cpu: {units: ${'9'.repeat(300)}}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}`, 'cpu/units'],
    [
      'cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}\ngpu: {units: 65, attributes: {vendor: {nvidia: }}}',
      'gpu/units',
    ],
    ['cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: {size: 1Gi}\ngpu: {units: 1}', 'gpu'],
    ['cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: [{size: 1Gi}, {size: 1Gi}]', 'storage/1'],
    [
      'cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: [{name: d, size: 1Gi, attributes: {persistent: true, class: ram}}]',
      'storage/0/attributes/persistent',
    ],
    [
      'cpu: {units: 1}\nmemory: {size: 1Gi}\nstorage: [{name: d, size: 1Gi, attributes: {persistent: true, class: beta9}}]',
      'storage/0/attributes/class',
    ],
    ['cpu: {units: 1}\nmemory: {size: 1Gi}', ''],
  ])('%s are refused', (yaml, at) => {
    const pointers = faultsOf(asked(yaml)).map(({ pointer }) => pointer);
    expect(pointers).toContain(`/profiles/compute/small/resources${at === '' ? '' : `/${at}`}`);
  });

  it('beyond the number of replicas are refused', () => {
    const text = sdl({ deployment: 'anywhere: {profile: small, count: 257}' });
    expect(faultsOf(text)[0]).toMatchObject({ pointer: '/deployment/web/anywhere/count' });
  });

  it('name what they refer to', () => {
    expect(faultsOf(sdl({ deployment: 'anywhere: {profile: smal, count: 1}' }))[0]!.message).toContain(
      'did you mean `small`',
    );
    expect(faultsOf(sdl({ deployment: 'anywher: {profile: small, count: 1}' }))[0]!.message).toContain(
      'did you mean `anywhere`',
    );
  });
});
