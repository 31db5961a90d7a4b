// Uploads a file with tus-js-client in so many parallel parts: URL FILE PARALLEL.
const fs = require('fs')
const tus = require('tus-js-client')
const [endpoint, file, parallel] = process.argv.slice(2)
new tus.Upload(fs.createReadStream(file), {
  endpoint,
  parallelUploads: Number(parallel),
  metadata: { filename: require('path').basename(file) },
  onError(err) { console.error(String(err)); process.exit(1) },
  onSuccess() { process.exit(0) },
}).start()
