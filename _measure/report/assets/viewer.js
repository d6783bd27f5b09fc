// A small viewer for GLB files in WebGL 2: no library, no request, nothing outside this folder.
//
// A page holds <section data-viewer> with a canvas and buttons; its model files call `showModel` with a GLB as base64
// of gzip, or as plain base64. Colours are unlit: linear COLOR_0 x base colour, encoded as sRGB on output, so what is
// on screen is what the GLB's maker wrote; models that are `shaded` (colours of distances) are darker where they turn
// away. Frame: y up, the character faces +z (glTF, `head_world`).
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
      if (manner == 3) result = vec4(srgb(base.rgb) * mix(0.45, 1.0, lamp * lamp), 1.0);
      else result = vec4(mix(vec3(0.22, 0.21, 0.32), vec3(0.97, 0.95, 0.93), lamp * lamp), 1.0);
    }`;
  const MANNERS = ["colour", "shape", "wire"];
  const FIELD = (30 * Math.PI) / 180;

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

    // What a model draws; its bounds decide the view only where it is the first one: views stay when models change.
    async load(model) {
      const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
      const file = glb.parsed(await glb.unpacked(model.base64, model.packing));
      model.base64 = "";
      const parts = [];
      await glb.eachPrimitive(file, async (primitive, matrix) => {
        parts.push({ ...await this.part(file, primitive, matrix, low, high), shaded: model.shaded });
      });
      if (!parts.length) throw new Error("the file draws no triangle");
      model.parts = parts.sort((a, b) => a.blends - b.blends);
      if (this.centre) return;
      this.centre = low.map((value, axis) => (value + high[axis]) / 2);
      this.radius = Math.max(Math.hypot(...high.map((value, axis) => value - low[axis])) / 2, 1e-6);
      this.reset();
    }

    async part(file, primitive, matrix, low, high) {
      const gl = this.gl;
      const names = primitive.attributes;
      const positions = glb.values(file, names.POSITION);
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
      this.attribute(1, names.COLOR_0 === undefined ? null : glb.values(file, names.COLOR_0));
      this.attribute(2, names.TEXCOORD_0 === undefined ? null : glb.values(file, names.TEXCOORD_0));
      const triangles = glb.indices(file, primitive, count);
      const elements = gl.createBuffer();
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, elements);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
      const material = (file.json.materials || [])[primitive.material] || {};
      const base = material.pbrMetallicRoughness || {};
      const white = new ImageData(new Uint8ClampedArray(4).fill(255), 1, 1);
      const image = this.texture(base.baseColorTexture ? await glb.picture(file, base.baseColorTexture.index) : white);
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
      gl.uniformMatrix4fv(place("clip_from_world"), false, glb.product(projection, view));
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
      gl.uniform1i(place("manner"), this.manner === 0 && part.shaded ? 3 : Math.min(this.manner, 1));
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

  // -- the page ------------------------------------------------------------------------------------------------

  const models = new Map();
  let viewer = null;

  async function choose(name) {
    const section = document.querySelector("[data-viewer]");
    const canvas = section.querySelector("canvas"), message = section.querySelector("[data-message]");
    const model = models.get(name);
    try {
      viewer ??= new Viewer(section);
      if (!model.parts) await viewer.load(model);
      viewer.parts = model.parts;
      viewer.draw();
      for (const button of section.querySelectorAll("[data-model]")) button.setAttribute("aria-pressed", button.dataset.model === name);
      for (const text of section.querySelectorAll("[data-of]")) text.hidden = text.dataset.of !== name;
      section.querySelector("[data-scale]").hidden = !model.shaded;
      message.hidden = true;
      canvas.dataset.state = "drawn";
      canvas.dataset.model = name;
    } catch (error) {
      canvas.dataset.state = "failed";
      message.hidden = false;
      message.textContent = `The model cannot be shown here: ${error.message}.`;
    }
  }

  // The first model is shown at once, the others when their button is pressed.
  window.showModel = (model) => {
    models.set(model.name, model);
    const button = document.querySelector(`[data-model="${model.name}"]`);
    if (button) button.addEventListener("click", () => choose(model.name));
    if (models.size === 1) choose(model.name);
  };
})();
