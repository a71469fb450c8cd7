/** The workloads of the demo, as a tenant would write them: Spheron ICL and Akash SDL. */

export type Need = {
  gpu: string;
  gpus?: number;
  image?: string;
  command?: readonly string[];
  usdcPerHour?: string;
};

/** Spheron ICL 1.0: one service on GPUs of one model. */
export const icl = (name: string, need: Need): string => `version: "1.0"
services:
  ${name}:
    image: ${need.image ?? 'pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime'}
${need.command ? `    command: [${need.command.map((word) => JSON.stringify(word)).join(', ')}]\n` : ''}    expose:
      - port: 8888
        as: 80
        to:
          - global: true
    env:
      - TOKEN=demo
profiles:
  name: ${name}
  duration: 10m
  mode: provider
  compute:
    ${name}:
      resources:
        cpu: { units: 4 }
        memory: { size: 16Gi }
        storage: [{ size: 20Gi }]
        gpu:
          units: ${need.gpus ?? 1}
          attributes: { vendor: { nvidia: [{ model: ${need.gpu} }] } }
  placement:
    anywhere:
      pricing:
        ${name}: { token: USDC, amount: ${need.usdcPerHour ?? '40'} }
deployment:
  ${name}:
    anywhere: { profile: ${name}, count: 1 }
`;

/** Akash SDL 2.0; prices are in uact (millionths of a US dollar) a block. */
export const sdl = (name: string, need: Need): string => `---
version: "2.0"
services:
  ${name}:
    image: ${need.image ?? 'vllm/vllm-openai:v0.11.0'}
${need.command ? `    command: [${need.command.map((word) => JSON.stringify(word)).join(', ')}]\n` : ''}    expose:
      - port: 8000
        as: 80
        to:
          - global: true
profiles:
  compute:
    ${name}:
      resources:
        cpu: { units: 4 }
        memory: { size: 16Gi }
        storage: { size: 20Gi }
        gpu:
          units: ${need.gpus ?? 1}
          attributes: { vendor: { nvidia: [{ model: ${need.gpu} }] } }
  placement:
    anywhere:
      pricing:
        ${name}: { denom: uact, amount: 60000 }
deployment:
  ${name}:
    anywhere: { profile: ${name}, count: 1 }
`;
