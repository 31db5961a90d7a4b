// Uploads a file as any program that uses tus-js-client would: URL FILE PARALLEL CHUNK.
// With CHUNK, in bytes, the first request is broken off once and the upload resumed.
const fs = require('fs')
const tus = require('tus-js-client')
const [endpoint, file, parallel, chunk] = process.argv.slice(2)
const options = {
  endpoint, parallelUploads: Number(parallel), retryDelays: [0, 100, 500],
  metadata: { filename: 'from js.bin' },
  onError(err) { console.error(String(err)); process.exit(1) },
  onSuccess() { console.log(upload.url) },
}
let stream = fs.createReadStream(file)
if (Number(chunk) > 0) {
  options.chunkSize = Number(chunk)
  let broken = false
  options.onChunkComplete = () => {
    if (broken) return
    broken = true
    upload.abort().then(() => {
      const url = upload.url
      upload = new tus.Upload(fs.createReadStream(file), { ...options, uploadUrl: url })
      upload.start()
    })
  }
}
let upload = new tus.Upload(stream, options)
upload.start()
