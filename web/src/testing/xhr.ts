/** An XMLHttpRequest as far as uploads use it, answered as fetch is. */
export function uploadsTo(answer: (request: Request) => Promise<Response>) {
  return class {
    readonly upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
    status = 0;
    statusText = '';
    responseText = '';
    onload?: () => void;
    onerror?: () => void;
    onabort?: () => void;

    private readonly headers = new Headers();
    private url = '';
    private aborted = false;

    open(_method: string, url: string) {
      this.url = url;
    }

    setRequestHeader(name: string, value: string) {
      this.headers.set(name, value);
    }

    send(file: File) {
      void this.answered(file);
    }

    abort() {
      this.aborted = true;
      this.onabort?.();
    }

    private async answered(file: File) {
      this.upload.onprogress?.({ loaded: file.size, total: file.size });
      try {
        const response = await answer(new Request(this.url, { method: 'POST', headers: this.headers, body: await textOf(file) }));
        this.responseText = await response.text();
        this.status = response.status;
      } catch {
        this.onerror?.();
        return;
      }
      if (!this.aborted) this.onload?.();
    }
  };
}

/** jsdom's files know no text(). */
function textOf(file: File): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.readAsText(file);
  });
}
