/** A small Spheron ICL manifest that the local market can run. */
export const MANIFEST = `version: "1.0"
services:
  web:
    image: nginx:1.29
    expose:
      - port: 80
        as: 80
        to:
          - global: true
profiles:
  name: web
  duration: 1h
  mode: provider
  compute:
    web:
      resources:
        cpu:
          units: 1
        memory:
          size: 1Gi
        storage:
          - size: 1Gi
        gpu:
          units: 1
          attributes:
            vendor:
              nvidia:
                - model: rtx4090
  placement:
    any:
      pricing:
        web:
          token: USDC
          amount: 5
deployment:
  web:
    any:
      profile: web
      count: 1
`;
