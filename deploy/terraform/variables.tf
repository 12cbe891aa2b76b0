variable "project" {
  type        = string
  description = "Project in which everything is made."
}

variable "region" {
  type        = string
  description = "Region of everything, such as europe-west3."
}

variable "platform" {
  type        = string
  description = "Where nodes and workers run: gke or cloud-run."
  validation {
    condition     = contains(["gke", "cloud-run"], var.platform)
    error_message = "platform is gke or cloud-run."
  }
}

variable "name" {
  type        = string
  default     = "skein"
  description = "Prefix of what is made; a second fleet has another."
}

variable "image" {
  type        = string
  default     = ""
  description = "The image with its digest, REGION-docker.pkg.dev/PROJECT/REPOSITORY/skein@sha256:…; cloud-run needs it, and gets it after the first apply."
  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image is pinned by its digest: a tag may be something else tomorrow."
  }
}

variable "grpc" {
  type        = bool
  default     = false
  description = "Whether Cloud Run gets a second service, for gRPC."
}

variable "max_instances" {
  type        = number
  default     = 3
  description = "Most nodes on Cloud Run."
}

variable "workers" {
  type        = number
  default     = 1
  description = "Workers on Cloud Run."
}
