// A small viewer for GLB files in WebGL 2: no library, no request, nothing outside this folder.
//
// A page holds <section data-viewer> with a canvas and buttons; its model file calls `showModel` with the GLB as
// base64 of gzip, or as plain base64. Colours are unlit: linear COLOR_0 x base colour, encoded as sRGB on output, so
// what is on screen is what the GLB's maker wrote. Frame: y up, the character faces +z (glTF, `head_world`).
"use strict";

(() => {
  const VERTEX_SHADER = `#version 300 es
    uniform mat4 clip_from_world, world_from_node;
    in vec3 position; in vec4 color; in vec2 uv;
    out vec3 world; out vec4 tint; out vec2 st;
    void main() {
      vec4 p = world_from_node * vec4(position, 1.0);
      world = p.xyz; tint = color; st = uv;
      gl_Position = clip_from_world * p;
    }`;
  const FRAGMENT_SHADER = `#version 300 es
    precision highp float;
    uniform vec4 factor; uniform sampler2D image;
    uniform int manner; uniform float cutoff; uniform vec3 eye;
    in vec3 world; in vec4 tint; in vec2 st;
    out vec4 result;
    vec3 linear(vec3 s) { return mix(s / 12.92, pow((s + 0.055) / 1.055, vec3(2.4)), step(0.04045, s)); }
    vec3 srgb(vec3 l) { return mix(12.92 * l, 1.055 * pow(max(l, 0.0), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, l)); }
    void main() {
      vec4 texel = texture(image, st);
      vec4 base = factor * tint * vec4(linear(texel.rgb), texel.a);
      if (base.a < cutoff) discard;
      if (manner == 0) { result = vec4(srgb(base.rgb), base.a); result.rgb *= result.a; return; }
      if (manner == 2) { result = vec4(0.16, 0.12, 0.40, 1.0) * 0.4; return; }
      vec3 normal = normalize(cross(dFdx(world), dFdy(world)));
      vec3 view = normalize(eye - world);
      if (dot(normal, view) < 0.0) normal = -normal;
      float lamp = 0.5 + 0.5 * dot(normal, normalize(view + vec3(0.25, 0.65, 0.0)));
      result = vec4(mix(vec3(0.22, 0.21, 0.32), vec3(0.97, 0.95, 0.93), lamp * lamp), 1.0);
    }`;
  const COMPONENTS = {
    5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array,
  };
  const LARGEST = { 5120: 127, 5121: 255, 5122: 32767, 5123: 65535, 5125: 4294967295, 5126: 1 };
  const SIZES = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };
  const MANNERS = ["colour", "shape", "wire"];
  const FIELD = (30 * Math.PI) / 180;

  // -- the file ------------------------------------------------------------------------------------------------

  async function unpacked(base64, packing) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    if (packing !== "gzip") return bytes.buffer;
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  function parsed(buffer) {
    const view = new DataView(buffer);
    if (view.getUint32(0, true) !== 0x46546c67) throw new Error("this is no GLB file");
    const length = view.getUint32(12, true);
    const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
    return { json, buffer, start: 28 + length };
  }

  function values(file, index) {
    const accessor = file.json.accessors[index];
    const size = SIZES[accessor.type];
    const out = new Float32Array(accessor.count * size);
    if (accessor.bufferView === undefined) return { out, size };
    const kind = COMPONENTS[accessor.componentType];
    const bytes = kind.BYTES_PER_ELEMENT;
    const block = file.json.bufferViews[accessor.bufferView];
    const first = file.start + (block.byteOffset || 0) + (accessor.byteOffset || 0);
    const stride = block.byteStride || size * bytes;
    const scale = accessor.normalized ? LARGEST[accessor.componentType] : 1;
    // A copy, since typed arrays need aligned starts.
    const all = new kind(file.buffer.slice(first, first + stride * (accessor.count - 1) + size * bytes));
    for (let row = 0; row < accessor.count; row++)
      for (let k = 0; k < size; k++) out[row * size + k] = all[(row * stride) / bytes + k] / scale;
    return { out, size };
  }

  function indices(file, primitive, count) {
    if (primitive.indices === undefined) return Uint32Array.from({ length: count }, (_, i) => i);
    const accessor = file.json.accessors[primitive.indices];
    const kind = COMPONENTS[accessor.componentType];
    const block = file.json.bufferViews[accessor.bufferView];
    const first = file.start + (block.byteOffset || 0) + (accessor.byteOffset || 0);
    return new Uint32Array(new kind(file.buffer.slice(first, first + accessor.count * kind.BYTES_PER_ELEMENT)));
  }

  async function picture(file, texture) {
    const image = file.json.images[file.json.textures[texture].source];
    const block = file.json.bufferViews[image.bufferView];
    const bytes = new Uint8Array(file.buffer, file.start + (block.byteOffset || 0), block.byteLength);
    const options = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    return createImageBitmap(new Blob([bytes], { type: image.mimeType }), options);
  }

  // -- matrices, column-major ----------------------------------------------------------------------------------

  const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

  function product(a, b) {
    const out = new Array(16).fill(0);
    for (let c = 0; c < 4; c++) for (let r = 0; r < 4; r++)
      for (let k = 0; k < 4; k++) out[c * 4 + r] += a[k * 4 + r] * b[c * 4 + k];
    return out;
  }

  function localMatrix(node) {
    if (node.matrix) return node.matrix;
    const [x, y, z, w] = node.rotation || [0, 0, 0, 1];
    const [a, b, c] = node.scale || [1, 1, 1];
    const [tx, ty, tz] = node.translation || [0, 0, 0];
    return [
      a * (1 - 2 * (y * y + z * z)), a * 2 * (x * y + z * w), a * 2 * (x * z - y * w), 0,
      b * 2 * (x * y - z * w), b * (1 - 2 * (x * x + z * z)), b * 2 * (y * z + x * w), 0,
      c * 2 * (x * z + y * w), c * 2 * (y * z - x * w), c * (1 - 2 * (x * x + y * y)), 0,
      tx, ty, tz, 1,
    ];
  }

  function perspective(aspect, near, far) {
    // The field of view is that of the shorter side, so that the model fits a narrow canvas too.
    const f = Math.min(1, aspect) / Math.tan(FIELD / 2);
    return [f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0];
  }

  // -- the scene -----------------------------------------------------------------------------------------------

  class Viewer {
    constructor(section) {
      this.section = section;
      this.canvas = section.querySelector("canvas");
      this.gl = this.canvas.getContext("webgl2", { antialias: true, alpha: true });
      if (!this.gl) throw new Error("this browser offers no WebGL 2");
      this.parts = [];
      this.manner = 0;
      this.spinning = false;
      this.program = this.linked();
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.canvas);
    }

    linked() {
      const gl = this.gl;
      const program = gl.createProgram();
      for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
        const shader = gl.createShader(kind);
        gl.shaderSource(shader, text);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
      }
      ["position", "color", "uv"].forEach((name, place) => gl.bindAttribLocation(program, place, name));
      gl.linkProgram(program);
      if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
      return program;
    }

    async load(file) {
      const { json } = file;
      const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
      const waiting = (json.scenes[json.scene || 0].nodes || []).map((index) => [index, IDENTITY]);
      while (waiting.length) {
        const [index, parent] = waiting.pop();
        const node = json.nodes[index];
        const matrix = product(parent, localMatrix(node));
        (node.children || []).forEach((child) => waiting.push([child, matrix]));
        if (node.mesh === undefined) continue;
        for (const primitive of json.meshes[node.mesh].primitives) {
          if ((primitive.mode ?? 4) === 4) this.parts.push(await this.part(file, primitive, matrix, low, high));
        }
      }
      if (!this.parts.length) throw new Error("the file draws no triangle");
      this.parts.sort((a, b) => a.blends - b.blends);
      this.centre = low.map((value, axis) => (value + high[axis]) / 2);
      this.radius = Math.max(Math.hypot(...high.map((value, axis) => value - low[axis])) / 2, 1e-6);
      this.reset();
      this.canvas.dataset.state = "drawn";
    }

    async part(file, primitive, matrix, low, high) {
      const gl = this.gl;
      const names = primitive.attributes;
      const positions = values(file, names.POSITION);
      const count = positions.out.length / 3;
      for (let i = 0; i < count; i++) {
        const [x, y, z] = positions.out.subarray(3 * i, 3 * i + 3);
        for (let axis = 0; axis < 3; axis++) {
          const value = matrix[axis] * x + matrix[4 + axis] * y + matrix[8 + axis] * z + matrix[12 + axis];
          low[axis] = Math.min(low[axis], value);
          high[axis] = Math.max(high[axis], value);
        }
      }
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      this.attribute(0, positions);
      this.attribute(1, names.COLOR_0 === undefined ? null : values(file, names.COLOR_0));
      this.attribute(2, names.TEXCOORD_0 === undefined ? null : values(file, names.TEXCOORD_0));
      const triangles = indices(file, primitive, count);
      const elements = gl.createBuffer();
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, elements);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
      const material = (file.json.materials || [])[primitive.material] || {};
      const base = material.pbrMetallicRoughness || {};
      const white = new ImageData(new Uint8ClampedArray(4).fill(255), 1, 1);
      const image = this.texture(base.baseColorTexture ? await picture(file, base.baseColorTexture.index) : white);
      const cutoff = material.alphaMode === "MASK" ? material.alphaCutoff ?? 0.5 : 0.004;
      const factor = base.baseColorFactor || [1, 1, 1, 1];
      return { array, elements, triangles, edges: null, matrix, factor, image, cutoff, blends: material.alphaMode === "BLEND" };
    }

    attribute(place, data) {
      const gl = this.gl;
      if (!data) return gl.vertexAttrib4f(place, 1, 1, 1, 1);
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, data.out, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, data.size, gl.FLOAT, false, 0, 0);
    }

    texture(bitmap) {
      const gl = this.gl;
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
      gl.generateMipmap(gl.TEXTURE_2D);
      return texture;
    }

    edgesOf(part) {
      if (!part.edges) {
        const gl = this.gl, t = part.triangles, lines = new Uint32Array(t.length * 2);
        for (let i = 0; i < t.length; i += 3) lines.set([t[i], t[i + 1], t[i + 1], t[i + 2], t[i + 2], t[i]], 2 * i);
        part.edges = gl.createBuffer();
        gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, part.edges);
        gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, lines, gl.STATIC_DRAW);
      }
      return part.edges;
    }

    reset() {
      this.azimuth = 0;
      this.elevation = 0;
      this.target = [...this.centre];
      this.distance = (this.radius / Math.sin(FIELD / 2)) * 0.85;
      this.draw();
    }

    draw() {
      if (!this.parts.length || this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.paint();
        if (this.spinning) {
          this.azimuth += 0.012;
          this.draw();
        }
      });
    }

    paint() {
      const gl = this.gl, canvas = this.canvas, ratio = window.devicePixelRatio || 1;
      canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.enable(gl.DEPTH_TEST);
      gl.depthFunc(gl.LEQUAL);
      gl.useProgram(this.program);
      const { right, up, back } = this.axes();
      const eye = this.target.map((value, axis) => value + back[axis] * this.distance);
      const dot = (v) => -(v[0] * eye[0] + v[1] * eye[1] + v[2] * eye[2]);
      const view = [right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0, dot(right), dot(up), dot(back), 1];
      const near = Math.max(this.distance - 3 * this.radius, this.distance * 0.02);
      const projection = perspective(canvas.width / canvas.height, near, this.distance + 3 * this.radius);
      const place = (name) => gl.getUniformLocation(this.program, name);
      gl.uniformMatrix4fv(place("clip_from_world"), false, product(projection, view));
      gl.uniform3fv(place("eye"), eye);
      for (const part of this.parts) this.paintPart(part, place);
    }

    paintPart(part, place) {
      const gl = this.gl;
      gl.bindVertexArray(part.array);
      gl.uniformMatrix4fv(place("world_from_node"), false, part.matrix);
      gl.uniform4fv(place("factor"), part.factor);
      gl.uniform1f(place("cutoff"), part.cutoff);
      gl.bindTexture(gl.TEXTURE_2D, part.image);
      gl[part.blends && this.manner === 0 ? "enable" : "disable"](gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.enable(gl.POLYGON_OFFSET_FILL);
      gl.polygonOffset(1, 1);
      gl.uniform1i(place("manner"), Math.min(this.manner, 1));
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, part.elements);
      gl.drawElements(gl.TRIANGLES, part.triangles.length, gl.UNSIGNED_INT, 0);
      if (this.manner !== 2) return;
      gl.uniform1i(place("manner"), 2);
      gl.enable(gl.BLEND);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.edgesOf(part));
      gl.drawElements(gl.LINES, part.triangles.length * 2, gl.UNSIGNED_INT, 0);
    }

    axes() {
      const sa = Math.sin(this.azimuth), ca = Math.cos(this.azimuth);
      const se = Math.sin(this.elevation), ce = Math.cos(this.elevation);
      return { right: [ca, 0, -sa], up: [-se * sa, ce, -se * ca], back: [ce * sa, se, ce * ca] };
    }

    // -- hands -------------------------------------------------------------------------------------------------

    turn(across, down) {
      this.azimuth -= across;
      this.elevation = Math.max(-1.5, Math.min(1.5, this.elevation + down));
      this.draw();
    }

    shift(across, down) {
      const { right, up } = this.axes();
      const metres = (2 * this.distance * Math.tan(FIELD / 2)) / this.canvas.clientHeight;
      this.target = this.target.map((v, axis) => v - (right[axis] * across - up[axis] * down) * metres);
      this.draw();
    }

    zoom(factor) {
      this.distance = Math.max(this.radius * 0.3, Math.min(this.radius * 12, this.distance * factor));
      this.draw();
    }

    spin() {
      this.spinning = !this.spinning;
      this.section.querySelector("[data-do=spin]").setAttribute("aria-pressed", this.spinning);
      this.draw();
    }

    show(manner) {
      this.manner = MANNERS.indexOf(manner);
      for (const button of this.section.querySelectorAll("[data-manner]"))
        button.setAttribute("aria-pressed", button.dataset.manner === manner);
      this.draw();
    }

    listen() {
      const canvas = this.canvas, fingers = new Map();
      canvas.addEventListener("pointerdown", (event) => {
        fingers.set(event.pointerId, [event.clientX, event.clientY]);
        canvas.setPointerCapture(event.pointerId);
      });
      for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
      canvas.addEventListener("pointermove", (event) => {
        const before = fingers.get(event.pointerId);
        if (!before) return;
        const now = [event.clientX, event.clientY], across = now[0] - before[0], down = now[1] - before[1];
        const other = [...fingers].find(([id]) => id !== event.pointerId);
        fingers.set(event.pointerId, now);
        const gap = (a) => Math.hypot(a[0] - other[1][0], a[1] - other[1][1]);
        if (other) this.zoom(gap(before) / Math.max(gap(now), 1));
        else if (event.shiftKey || event.buttons === 2) this.shift(across, down);
        else this.turn(across * 0.009, down * 0.009);
      });
      canvas.addEventListener("contextmenu", (event) => event.preventDefault());
      canvas.addEventListener("wheel", (event) => {
        if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls until the viewer is chosen
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY * 0.0012));
      }, { passive: false });
      const keys = {
        ArrowLeft: () => this.turn(-0.15, 0), ArrowRight: () => this.turn(0.15, 0), ArrowUp: () => this.turn(0, 0.15),
        ArrowDown: () => this.turn(0, -0.15), "+": () => this.zoom(0.9), "-": () => this.zoom(1.1), 0: () => this.reset(),
        " ": () => this.spin(),
      };
      canvas.addEventListener("keydown", (event) => {
        if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        keys[event.key]();
      });
      for (const button of this.section.querySelectorAll("[data-manner]"))
        button.addEventListener("click", () => this.show(button.dataset.manner));
      this.section.querySelector("[data-do=reset]").addEventListener("click", () => this.reset());
      this.section.querySelector("[data-do=spin]").addEventListener("click", () => this.spin());
    }
  }

  window.showModel = async ({ base64, packing }) => {
    const section = document.querySelector("[data-viewer]");
    const message = section.querySelector("[data-message]");
    try {
      const buffer = await unpacked(base64, packing);
      const link = section.querySelector("[data-do=download]");
      link.href = URL.createObjectURL(new Blob([buffer], { type: "model/gltf-binary" }));
      link.hidden = false;
      await new Viewer(section).load(parsed(buffer));
      message.hidden = true;
    } catch (error) {
      section.querySelector("canvas").dataset.state = "failed";
      message.textContent = `The model cannot be shown here: ${error.message}.`;
    }
  };
})();
