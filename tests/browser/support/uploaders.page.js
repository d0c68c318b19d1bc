// Uploaders in a browser: bundled, and used by `uploaders.mjs`. Each returns why it has failed.

import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import { Upload } from "tus-js-client";

const retryDelays = Array(100).fill(50);

async function content() {
  const bytes = await (await fetch("/content", { cache: "no-store" })).blob();
  return new File([bytes], "scan.bin", { type: "application/octet-stream" });
}

window.uploaders = {
  async tus(endpoint, chunkSize) {
    const file = await content();
    return new Promise((resolve) => {
      new Upload(file, {
        endpoint,
        chunkSize,
        retryDelays,
        metadata: { filename: file.name, filetype: file.type },
        onSuccess: () => resolve(),
        onError: (error) => resolve(String(error)),
      }).start();
    });
  },

  async uppy(endpoint, chunkSize) {
    const uppy = new Uppy().use(Tus, { endpoint, chunkSize, retryDelays });
    const data = await content();
    uppy.addFile({ name: data.name, type: data.type, data });
    const { failed } = await uppy.upload();
    uppy.destroy();
    return failed.map(({ error }) => error).join();
  },
};
