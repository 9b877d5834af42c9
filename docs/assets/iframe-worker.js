/* Browsers start no worker for a page that is opened as a file; the search runs in one. Here a hidden frame stands in. */
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      // What the script sends leaves the frame as a message of this worker.
      inside.postMessage = data => {
        const event = new MessageEvent("message", { data })
        this.dispatchEvent(event)
        if (this.onmessage) this.onmessage(event)
      }
      inside.importScripts = () => {}
      const script = inside.document.createElement("script")
      script.src = url
      this.loaded = new Promise(done => (script.onload = done))
      this.inside = inside
      inside.document.body.append(script)
    }

    postMessage(data) {
      this.loaded.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })))
    }

    terminate() {}
  }
