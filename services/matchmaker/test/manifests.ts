/** A small Akash SDL manifest: one service with GPUs, and a secret in its environment. */
export const sdl = (
  options: { gpus?: number; model?: string; price?: string; secret?: string; replicas?: number } = {},
): string => `
version: "2.0"
services:
  web:
    image: nginx:1.27
    env:
      - API_TOKEN=${options.secret ?? 'hush'}
    expose:
      - port: 80
        as: 80
        to:
          - global: true
profiles:
  compute:
    web:
      resources:
        cpu: { units: 2 }
        memory: { size: 4Gi }
        storage: { size: 10Gi }
        gpu:
          units: ${options.gpus ?? 1}
          attributes:
            vendor:
              nvidia:
                - model: ${options.model ?? 'rtx4090'}
  placement:
    anywhere:
      pricing:
        web: { denom: uusdc, amount: ${options.price ?? '10000'} }
deployment:
  web:
    anywhere: { profile: web, count: ${options.replicas ?? 1} }
`;
