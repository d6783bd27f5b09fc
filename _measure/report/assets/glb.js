// Reading GLB files for the viewer: what a file draws, as typed arrays, pictures and matrices. No request, no library.
"use strict";

window.glb = (() => {
  const COMPONENTS = {
    5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array,
  };
  const LARGEST = { 5120: 127, 5121: 255, 5122: 32767, 5123: 65535, 5125: 4294967295, 5126: 1 };
  const SIZES = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };

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

  // Calls `found(primitive, world_from_node)` for every primitive of triangles that the file's scene draws.
  async function eachPrimitive({ json }, found) {
    const waiting = (json.scenes[json.scene || 0].nodes || []).map((index) => [index, IDENTITY]);
    while (waiting.length) {
      const [index, parent] = waiting.pop();
      const node = json.nodes[index];
      const matrix = product(parent, localMatrix(node));
      (node.children || []).forEach((child) => waiting.push([child, matrix]));
      if (node.mesh === undefined) continue;
      for (const primitive of json.meshes[node.mesh].primitives) if ((primitive.mode ?? 4) === 4) await found(primitive, matrix);
    }
  }

  return { unpacked, parsed, values, indices, picture, product, eachPrimitive };
})();
