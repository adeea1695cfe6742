# The operator's image: Node, the libraries it is linked to and the bundle; no shell, no package manager. It runs as a
# user without rights and needs no place to write to.
#
# `make image` assembles the two folders below from package-lock.json and Debian's packages (tools/build-image.ts), so
# that no base image is needed, and calls docker or buildah with this file.
FROM scratch
# what changes with Node and Debian
COPY dist/image/platform/ /
# what changes with each build
COPY dist/image/application/ /
ENV PATH=/usr/local/bin NODE_ENV=production
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/manager"]
